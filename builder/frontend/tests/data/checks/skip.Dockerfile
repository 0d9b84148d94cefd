# check=skip=FromAsCasing, StageNameCasing
FROM scratch as X
# check=skip=LegacyKeyValueFormat
ENV a b
ENV c d
# check=skip=all
CMD x
# check=skip=JSONArgsRecommended
# another comment
ENTRYPOINT x
