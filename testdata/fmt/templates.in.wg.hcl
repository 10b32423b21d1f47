a="  as   it = is  ${ b }  ${~ c ~}${d}"
e="${ f }"
g="${ "h ${ i } " }$${ j }%%{ k }"
l="%{ if m }n%{ else }o%{ endif }"
p="%{ for q in[ r ]}${ q }%{endfor}"
s="${ {t=1} }"
u="${-v}"
w="${
x
}"
y="a\"b  \\"
