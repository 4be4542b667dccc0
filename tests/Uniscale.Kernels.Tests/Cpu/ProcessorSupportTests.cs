using System.Runtime.InteropServices;
using Uniscale.Kernels.Cpu;

namespace Uniscale.Kernels.Tests.Cpu;

public sealed partial class ProcessorSupportTests
{
    [Theory]
    [InlineData(null), InlineData(""), InlineData("avx2"), InlineData("avx512")]
    public void WhatTheProcessorHasIsTaken(string? limit) =>
        Assert.Null(ProcessorSupport.Refusal(true, limit, () => InstructionSet.Avx512));

    [Theory]
    [InlineData(false, null, "This processor has no AVX2 and FMA,")]
    [InlineData(true, "baseline", "This processor has no AVX2 and FMA,")]
    [InlineData(
        true,
        "avx-512",
        "UNISCALE_ISA is 'avx-512', which is no level of instructions: give one of avx2, avx512, avx512_bf16, amx, or unset it."
    )]
    [InlineData(true, "amx", "UNISCALE_ISA is 'amx', which this processor lacks: it has avx512;")]
    public void AProcessorThatLacksWhatIsNeededIsRefused(bool hasAvx2, string? limit, string sentence) =>
        Assert.StartsWith(sentence, ProcessorSupport.Refusal(hasAvx2, limit, () => InstructionSet.Avx512));

    [Fact]
    public void ALimitHoldsForTheKernelsAndForTheLibrariesBelowThem()
    {
        string? limit = Environment.GetEnvironmentVariable(ProcessorSupport.LimitVariable);
        Assert.Equal(limit ?? ProcessorSupport.NameOf(CpuKernels.Processor), ProcessorSupport.NameOf(CpuKernels.InstructionSet));
        var (oneDnn, aten) = (
            Marshal.PtrToStringUTF8(getenv("ONEDNN_MAX_CPU_ISA")),
            Marshal.PtrToStringUTF8(getenv("ATEN_CPU_CAPABILITY"))
        );
        switch (limit)
        {
            case "avx2":
                Assert.Equal(("AVX2", "avx2"), (oneDnn, aten));
                break;
            case "avx512":
                Assert.Equal(("AVX512_CORE", "avx512"), (oneDnn, aten));
                break;
            case "avx512_bf16":
                Assert.Equal(("AVX512_CORE_BF16", "avx512"), (oneDnn, aten));
                break;
        }
    }

    [Fact]
    public void TheShareOfFloat32IsMeasured()
    {
        Assert.True(ProcessorSupport.IsNative(KernelType.Float32));
        Assert.InRange(ProcessorSupport.ShareOfFloat32(TimeSpan.FromMilliseconds(50)), 0.01, 100);
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint getenv(string name);
}
