#include "funcdata.h"
#include "textflag.h"

// func Room()
TEXT ·Room(SB), 0, $12288-0
	NO_LOCAL_POINTERS
	RET
