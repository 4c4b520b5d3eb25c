package startup

import "reflect"

// reflect goes through all types of the program, a megabyte that nothing else reads at a start, when it is asked for a type that it does not
// know yet. These give the same without asking.

// MapOf is reflect.MapOf(key, elem), which t may be.
func MapOf(t, key, elem reflect.Type) reflect.Type {
	if t.Kind() == reflect.Map && t.Name() == "" && t.Key() == key && t.Elem() == elem {
		return t
	}
	return reflect.MapOf(key, elem)
}

// SliceOf is reflect.SliceOf(elem), which t may be.
func SliceOf(t, elem reflect.Type) reflect.Type {
	if IsSliceOf(t, elem) {
		return t
	}
	return reflect.SliceOf(elem)
}

// IsSliceOf is t == reflect.SliceOf(elem).
func IsSliceOf(t, elem reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Name() == "" && t.Elem() == elem
}

// MayHaveMethods is false when reflect.PointerTo(t) has no methods because t is a type without a name.
func MayHaveMethods(t reflect.Type) bool { return t.Name() != "" || t.Kind() == reflect.Struct }
