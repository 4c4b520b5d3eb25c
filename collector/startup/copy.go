package startup

import "reflect"

// Copy is a deep copy of a configuration. Its usual values are copied without reflection.
func Copy(m map[string]any) map[string]any {
	copied := make(map[string]any, len(m))
	for key, value := range m {
		copied[key] = Value(value)
	}
	return copied
}

// Value is a deep copy of one value of a configuration.
func Value(value any) any {
	switch v := value.(type) {
	case nil, string, bool, int, int64, uint64, float64:
		return v
	case map[string]any:
		if v == nil {
			return v
		}
		return Copy(v)
	case []any:
		if v == nil {
			return v
		}
		copied := make([]any, len(v))
		for i, one := range v {
			copied[i] = Value(one)
		}
		return copied
	default:
		of := reflect.ValueOf(value)
		if of.Kind() == reflect.Pointer && of.IsNil() {
			return nil // as the library
		}
		return valueOf(of).Interface()
	}
}

// valueOf is a copy of what else a program puts into a configuration. Fields that are not exported are shared.
func valueOf(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return v
		}
	}
	copied := reflect.New(v.Type()).Elem()
	copied.Set(v)
	switch v.Kind() {
	case reflect.Map:
		copied.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
		for each := v.MapRange(); each.Next(); {
			copied.SetMapIndex(each.Key(), valueOf(each.Value()))
		}
	case reflect.Slice:
		copied.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			copied.Index(i).Set(valueOf(v.Index(i)))
		}
	case reflect.Array:
		for i := range v.Len() {
			copied.Index(i).Set(valueOf(v.Index(i)))
		}
	case reflect.Pointer:
		copied.Set(reflect.New(v.Type().Elem()))
		copied.Elem().Set(valueOf(v.Elem()))
	case reflect.Interface:
		copied.Set(valueOf(v.Elem()))
	case reflect.Struct:
		for i := range v.NumField() {
			if field := copied.Field(i); field.CanSet() {
				field.Set(valueOf(v.Field(i)))
			}
		}
	}
	return copied
}
