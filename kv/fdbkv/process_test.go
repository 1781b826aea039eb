package fdbkv_test

const childPart = "FDBKV_TEST_PART"

func runPart(part string) int { return 1 }
