# covers: named context local as base
# opt: context:src=local:extra
FROM src
COPY a b
