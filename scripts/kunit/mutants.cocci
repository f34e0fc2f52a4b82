// SPDX-License-Identifier: GPL-2.0
// Where C can be mutated: prints each place as its kind, its extent (line, column, line,
// column) and its function. What is put there, mutants.py knows.

@initialize:python@
@@
def say(kind, places):
    for place in places:
        print(kind, place.line, place.column, place.line_end, place.column_end, place.current_element)

@condition@
expression e;
statement s, t;
position p;
@@
(
if (e@p) s
|
if (e@p) s else t
)

@script:python@ p << condition.p; @@
say("condition", p)

@choice@
expression e, a, b;
position p;
@@
e@p ? a : b

@script:python@ p << choice.p; @@
say("condition", p)

@loop@
expression e, a, b;
statement s;
position p;
@@
(
while (e@p) s
|
for (a; e@p; b) s
|
for (; e@p; b) s
)

@script:python@ p << loop.p; @@
say("loop", p)

@infix@
expression a, b;
binary operator o;
position p;
@@
a o@p b

@script:python@ p << infix.p; @@
say("infix", p)

@assigned@
expression a, b;
assignment operator o;
position p;
@@
a o@p b

@script:python@ p << assigned.p; @@
say("infix", p)

@prefix@
expression a;
position p;
@@
(
 -a@p
|
 !a@p
|
 ++a@p
|
 --a@p
)

@script:python@ p << prefix.p; @@
say("prefix", p)

@postfix@
expression a;
position p;
@@
(
 a@p++
|
 a@p--
)

@script:python@ p << postfix.p; @@
say("postfix", p)

@literal@
constant c;
position p;
@@
c@p

@script:python@ p << literal.p; @@
say("constant", p)

@argument@
identifier f;
constant c;
position p;
@@
f(..., c@p, ...)

@script:python@ p << argument.p; @@
say("argument", p)

@member@
expression e;
identifier i;
position p;
@@
(
e.i@p
|
e->i@p
)

@script:python@ p << member.p; @@
say("name", p)

@call@
identifier f;
position p;
@@
f@p(...)

@script:python@ p << call.p; @@
say("name", p)

@simple@
expression e;
position p;
@@
(
e@p;
|
continue@p;
|
break@p;
)

@script:python@ p << simple.p; @@
say("statement", p)

@result@
expression e;
position p;
@@
return e@p;

@script:python@ p << result.p; @@
say("result", p)
