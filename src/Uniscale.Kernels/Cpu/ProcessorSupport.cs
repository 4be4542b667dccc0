using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Uniscale.Kernels.Cpu;

/// <summary>Whether this processor can run Uniscale, and which precisions it multiplies itself.</summary>
public static class ProcessorSupport
{
    /// <summary>Makes the processor stand in for a lesser one.</summary>
    public const string LimitVariable = "UNISCALE_ISA";

    /// <summary>The levels as <see cref="LimitVariable"/> names them, in the order of <see cref="InstructionSet"/>.</summary>
    private static readonly string[] Names = ["baseline", "avx2", "avx512", "avx512_bf16", "amx"];

    /// <summary>Why nothing can run here, in a sentence; null: it can.</summary>
    public static string? Refusal()
    {
        bool hasAvx2 = RuntimeInformation.ProcessArchitecture != Architecture.X64 || (Avx2.IsSupported && Fma.IsSupported);
        return Refusal(hasAvx2, Environment.GetEnvironmentVariable(LimitVariable), () => CpuKernels.Processor);
    }

    /// <summary>
    /// The same for a processor and a value of <see cref="LimitVariable"/>; the level is asked for only where it matters.
    /// </summary>
    internal static string? Refusal(bool hasAvx2, string? limit, Func<InstructionSet> processor)
    {
        int wanted = limit is { Length: > 0 } ? Array.IndexOf(Names, limit) : Names.Length - 1;
        if (wanted < 0)
            return $"{LimitVariable} is '{limit}', which is no level of instructions: give one of {string.Join(", ", Names[1..])}, or unset it.";
        if (!hasAvx2 || wanted == 0)
            return "This processor has no AVX2 and FMA, which Uniscale's kernels need: use one made since 2015 (Intel Haswell, AMD Zen), or a virtual machine that shows them.";
        if (limit is { Length: > 0 } && wanted > (int)processor())
            return $"{LimitVariable} is '{limit}', which this processor lacks: it has {NameOf(processor())}; give that or less, or unset the variable.";
        return null;
    }

    /// <summary>
    /// True where the processor multiplies a type itself; else the kernels widen its elements to fp32 and multiply these.
    /// </summary>
    public static bool IsNative(KernelType type) => type == KernelType.Float32 || CpuKernels.InstructionSet >= InstructionSet.Avx512Bf16;

    /// <summary>A level as a user writes it.</summary>
    public static string NameOf(InstructionSet level) => Names[(int)level];

    /// <summary>FLOP/s of bf16 GEMM over that of fp32, as the kernels do them with this thread's OpenMP setting.</summary>
    /// <param name="duration">Time to spend.</param>
    public static unsafe double ShareOfFloat32(TimeSpan duration)
    {
        const int Size = 512;
        nint memory = (nint)NativeMemory.AlignedAlloc(3 * Size * Size * sizeof(float), 64);
        try
        {
            // Zeros would be multiplied faster than other numbers: all bits of 0x3f3f are about 0.75 in either type.
            new Span<byte>((void*)memory, 3 * Size * Size * sizeof(float)).Fill(0x3f);
            var (float32, bfloat16) = (double.PositiveInfinity, double.PositiveInfinity);
            for (long begin = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begin) < duration;)
            {
                float32 = Math.Min(float32, Seconds(KernelType.Float32));
                bfloat16 = Math.Min(bfloat16, Seconds(KernelType.BFloat16));
            }
            return float32 / bfloat16;
        }
        finally
        {
            NativeMemory.AlignedFree((void*)memory);
        }

        double Seconds(KernelType type)
        {
            MatrixOperand Operand(int index) => new(memory + index * Size * Size * sizeof(float), type, Size);
            long start = Stopwatch.GetTimestamp();
            MatrixProduct.Multiply(Size, Size, Size, Operand(0), Operand(1) with { Transposed = true }, Operand(2));
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }
}
