#!/bin/sh
read l; printf '{"id":1,"error":"line1\\nimprint: error: fake \\u001b[31mred"}\n'
