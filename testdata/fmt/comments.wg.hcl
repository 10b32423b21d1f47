# At the head.
a      = 1     # one
bungle = "two" // two
c      = 3

d = 4 # alone
e {}  # a block
f {
  # inside
  // too
  g = 5 #g
  /* whole
     lines
  stay */
  h = 6 /* between */ # after
  i = [               # opens
    7,                # seven
    100,
    8,  #eight
  ]     # closes
  j = 9 # nine
}
k   = "🇬🇧" # flag
lmn = "é" # accent
o   = /* before */ p
# at the end
