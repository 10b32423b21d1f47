key="x"
a={
b=1
}
