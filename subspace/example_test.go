package subspace_test

import (
	"fmt"

	"github.com/fdbelection/fdbelection/subspace"
)

func Example() {
	users := subspace.New("app", "users")
	key, err := users.Pack(subspace.Tuple{subspace.String("ann"), subspace.Int(42)})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q\n", key)

	tuple, err := users.Unpack(key)
	fmt.Println(tuple, err)

	_, err = subspace.New("app", "orders").Unpack(key)
	fmt.Println(err)
	// Output:
	// "\x02app\x00\x02users\x00\x02ann\x00\x15*"
	// ("ann", 42) <nil>
	// key is not in the subspace: b"\x02app\x00\x02users\x00\x02ann\x00\x15*" does not begin with b"\x02app\x00\x02orders\x00"
}

// A record of known layout, written and read one element at a time.
func ExampleReader() {
	value := subspace.AppendInt(nil, 1) // the format's version
	value = subspace.AppendString(value, "ann")
	value = subspace.OpenNested(value)
	value = subspace.AppendString(value, "zone-a")
	value = subspace.CloseNested(value)
	value = subspace.AppendBool(value, true) // a newer field, which the reader below does not know

	r := subspace.NewReader(value)
	version, name, tags := r.Int64(), r.Text(), r.Nested()
	fmt.Println(version, name, tags.Text(), r.Err())

	r = subspace.NewReader(value)
	r.Skip()
	fmt.Println(r.Uint64(), r.Err())
	// Output:
	// 1 ann zone-a <nil>
	// 0 tuple element 1 at offset 2: expected an integer, found a string
}

// A key for Transaction.SetVersionstampedKey. The commit completes it.
func ExampleSubspace_PackWithVersionstamp() {
	log := subspace.New("log")
	key, err := log.PackWithVersionstamp(subspace.Tuple{subspace.IncompleteVersionstamp(0), subspace.String("entry")})
	fmt.Printf("% x %v\n", key, err)
	// Output:
	// 02 6c 6f 67 00 33 ff ff ff ff ff ff ff ff ff ff 00 00 02 65 6e 74 72 79 00 06 00 00 00 <nil>
}

func ExampleSubspace_Range() {
	begin, end := subspace.New("app").Range()
	fmt.Printf("%q %q\n", begin, end)
	// Output:
	// "\x02app\x00\x00" "\x02app\x00\xff"
}

func ExampleTuple_elements() {
	tuple, err := subspace.Unpack([]byte("\x02ann\x00\x15\x2a\x00"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range tuple {
		switch e := e.(type) {
		case subspace.String:
			fmt.Println("string", string(e))
		case subspace.Int:
			fmt.Println("integer", int64(e))
		case subspace.Nil:
			fmt.Println("nil")
		}
	}
	// Output:
	// string ann
	// integer 42
	// nil
}
