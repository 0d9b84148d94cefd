# covers: ADD, ADD context archive
FROM scratch
ADD a.tar.gz /x/
