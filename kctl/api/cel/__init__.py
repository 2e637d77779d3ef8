"""CEL, the Common Expression Language, with the libraries Kubernetes adds to it.

``compile(source, env)`` gives a :class:`program.Program` or raises :class:`errors.CompileError` in the
words of cel-go; ``Program.run(variables)`` gives a value and what it cost, or raises
:class:`errors.EvaluationError`. In the order a text takes: :mod:`lexer`, :mod:`parser` (with
:mod:`macros`), :mod:`checker` (types are :mod:`types`, functions :mod:`declarations`), :mod:`estimate`
(the cost in the worst case), :mod:`evaluator` (closures over plain values, whose rules are in
:mod:`values`), and one module a library. Nothing here knows of Kubernetes objects.
"""
