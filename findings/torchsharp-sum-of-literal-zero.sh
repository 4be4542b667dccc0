#!/usr/bin/env bash
# What: x.sum(0) of TorchSharp 0.107.0 is not a sum over dim 0. C# turns the literal 0, and only 0, into any enum, and an overload
# sum(ScalarType? type) takes it before the one for dims: the call means "sum over all dims, as a byte". A matrix of [2, 300] ones gives one
# uint8 of 88, which is 600 modulo 256. x.sum(1), x.sum(-1) and x.sum(dim: 0) do what they say, and so does x.sum(zero) with a variable.
#
# Why it matters: sum(0) is how a bias's gradient, a histogram of experts or the tokens of a batch are summed, and how the line reads in Python.
# No warning comes at compile time and no error at run time where the result is broadcast or turned to another type again.
#
# What follows: dims are always named (sum(dim: 0)), a rule for reviews and for code that is translated from Python; tests compare shapes
# and element types, not values alone.
#
# Needs bash, binutils, dotnet (10.0), 1.5 GB below TMPDIR. Holds: 0. Changed: 1. Could not be tried: 2.
set -euo pipefail

torchsharp=0.107.0 libtorch=2.10.0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >probe.csproj <<XML
<Project Sdk="Microsoft.NET.Sdk">
  <PropertyGroup><OutputType>Exe</OutputType><TargetFramework>net10.0</TargetFramework><ImplicitUsings>enable</ImplicitUsings></PropertyGroup>
  <ItemGroup>
    <PackageReference Include="TorchSharp" Version="[$torchsharp]" />
    <PackageReference Include="libtorch-cpu-linux-x64" Version="[$libtorch]" />
  </ItemGroup>
</Project>
XML
cat >Program.cs <<'CS'
using TorchSharp;

using var x = torch.ones(2, 300);
int zero = 0;
Show("x.sum(0)       ", x.sum(0));
Show("torch.sum(x, 0)", torch.sum(x, 0));
Show("x.sum(zero)    ", x.sum(zero));
Show("x.sum(dim: 0)  ", x.sum(dim: 0));
Show("x.sum(1)       ", x.sum(1));
static void Show(string call, torch.Tensor sum) =>
    Console.WriteLine($"{call} {sum.dtype} [{string.Join(", ", sum.shape)}] {sum.flatten()[0].ToInt64()}");
CS
NUGET_PACKAGES=$folder/packages dotnet build -c Release -o out --nologo -v q -nodeReuse:false >log 2>&1 ||
    { tail log; echo "Could not be tried: the program was not built."; exit 2; }
# Without this the library does not load on Debian 12: torchsharp-unbound-symbol-version.sh says why.
library=out/runtimes/linux-x64/native/libLibTorchSharp.so
table=$(readelf -SW $library | sed -n 's/.* VERNEED  *[0-9a-f]* \([0-9a-f]*\) .*/\1/p')
entry=$(readelf -VW $library | sed -n 's/^ *0x\([0-9a-f]*\): *Name: GLIBCXX_3.4.32 .*/\1/p')
printf '\002' | dd of=$library bs=1 seek=$((0x$table + 0x$entry + 4)) conv=notrunc status=none

echo "TorchSharp $torchsharp, libtorch $libtorch, .NET $(dotnet --version)"
echo "For x = torch.ones(2, 300), float32, the result's type, shape and first element:"
dotnet out/probe.dll | tee seen
echo
echo "Good guess: x.sum(0) is Float32 of [300] with elements of 2, as in Python and as x.sum(1) suggests."
expected="x.sum(0)        Byte [] 88
torch.sum(x, 0) Byte [] 88
x.sum(zero)     Float32 [300] 2
x.sum(dim: 0)   Float32 [300] 2
x.sum(1)        Float32 [2] 300"
if [ "$(cat seen)" = "$expected" ]; then
    echo "Seen: the literal 0 is taken for the element type Byte; the sum is over everything, modulo 256, without an error."
    exit 0
fi
echo "Changed: sum(0) or one of its neighbours gives something else than before."
exit 1
