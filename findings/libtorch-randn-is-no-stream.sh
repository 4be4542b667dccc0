#!/usr/bin/env bash
# What: libtorch's normal numbers are no stream. rand(17) begins rand(64), as one expects of a generator with a seed; randn(17) shares one
# value of 17 with randn(64), and randn(8) none. From 16 values on they are made in blocks of 16 out of as many uniform numbers, and where the
# count is no multiple of 16, the last 16 are drawn anew, over values that stood there; below 16 another algorithm makes them one by one.
#
# Why it matters: a framework that shards weights draws either the whole tensor and keeps its part, or part after part. Both agree in every
# test with sizes that are multiples of 16, and differ for the first odd one: a vocabulary not padded, a head of 5 rows. Then a model that
# begins on two ranks is not the one that begins on one, though seeds and places in the stream are the same.
#
# What follows: initial weights must be a function of the parameter and the element, drawn whole (or by a generator of the framework's own that
# counts elements), never "the next n normal numbers". Tests of this need sizes that 16 does not divide.
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

float[] Drawn(Func<long, torch.Tensor> draw, params long[] counts)
{
    torch.manual_seed(1);
    return [.. counts.SelectMany(count => draw(count).data<float>().ToArray())];
}
int Alike(Func<long, torch.Tensor> draw, long[] counts)
{
    float[] parts = Drawn(draw, counts), whole = Drawn(draw, 64);
    return parts.Zip(whole).Count(pair => pair.First == pair.Second);
}
long[][] cases = [[8], [15], [16], [17], [20], [40], [32, 32], [25, 39]];
foreach (long[] counts in cases)
{
    int uniform = Alike(count => torch.rand(count), counts), normal = Alike(count => torch.randn(count), counts);
    Console.WriteLine($"{string.Join('+', counts)} of {counts.Sum()}: rand {uniform}, randn {normal}");
}
CS
NUGET_PACKAGES=$folder/packages dotnet build -c Release -o out --nologo -v q -nodeReuse:false >log 2>&1 ||
    { tail log; echo "Could not be tried: the program was not built."; exit 2; }
# Without this the library does not load on Debian 12: torchsharp-unbound-symbol-version.sh says why.
library=out/runtimes/linux-x64/native/libLibTorchSharp.so
table=$(readelf -SW $library | sed -n 's/.* VERNEED  *[0-9a-f]* \([0-9a-f]*\) .*/\1/p')
entry=$(readelf -VW $library | sed -n 's/^ *0x\([0-9a-f]*\): *Name: GLIBCXX_3.4.32 .*/\1/p')
printf '\002' | dd of=$library bs=1 seek=$((0x$table + 0x$entry + 4)) conv=notrunc status=none

echo "TorchSharp $torchsharp, libtorch $libtorch, .NET $(dotnet --version)"
echo "Values that are the same as at their place in one draw of 64, seed 1:"
dotnet out/probe.dll | tee seen
echo
echo "Good guess: with the same seed the first n values are the same however many are drawn, so the two columns are equal."
expected="8 of 8: rand 8, randn 0
15 of 15: rand 15, randn 0
16 of 16: rand 16, randn 16
17 of 17: rand 17, randn 1
20 of 20: rand 20, randn 4
40 of 40: rand 40, randn 24
32+32 of 64: rand 64, randn 64"
if [ "$(head -n 7 seen)" = "$expected" ] && grep -q '^25+39 of 64: rand 64, randn 9$' seen; then
    echo "Seen: so for uniform numbers; normal ones are the same only up to the last 16 of a draw, and below 16 never."
    exit 0
fi
echo "Changed: the counts of equal values are not those of blocks of 16 with the last one drawn anew."
exit 1
