using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Uniscale.Mpi.Arithmetic;

namespace Uniscale.Mpi.Native;

/// <summary>
/// Reductions of 16-bit floats, which MPI lacks: called by MPI on pairs of vectors, in single precision inside, rounded after each pair.
/// </summary>
internal static unsafe class NarrowReductions
{
    private const int Block = 2048;

    public static readonly delegate* unmanaged<nint, nint, int*, nint*, void> BrainSum = &SumBrain;
    public static readonly delegate* unmanaged<nint, nint, int*, nint*, void> BrainMax = &MaxBrain;
    public static readonly delegate* unmanaged<nint, nint, int*, nint*, void> BrainMin = &MinBrain;
    public static readonly delegate* unmanaged<nint, nint, int*, nint*, void> HalfSum = &SumHalf;
    public static readonly delegate* unmanaged<nint, nint, int*, nint*, void> HalfMax = &MaxHalf;
    public static readonly delegate* unmanaged<nint, nint, int*, nint*, void> HalfMin = &MinHalf;

    [UnmanagedCallersOnly]
    private static void SumBrain(nint input, nint inOut, int* count, nint* type) => Brain<Adder>(input, inOut, *count);

    [UnmanagedCallersOnly]
    private static void MaxBrain(nint input, nint inOut, int* count, nint* type) => Brain<Greater>(input, inOut, *count);

    [UnmanagedCallersOnly]
    private static void MinBrain(nint input, nint inOut, int* count, nint* type) => Brain<Smaller>(input, inOut, *count);

    [UnmanagedCallersOnly]
    private static void SumHalf(nint input, nint inOut, int* count, nint* type) => Halves<Adder>(input, inOut, *count);

    [UnmanagedCallersOnly]
    private static void MaxHalf(nint input, nint inOut, int* count, nint* type) => Halves<Greater>(input, inOut, *count);

    [UnmanagedCallersOnly]
    private static void MinHalf(nint input, nint inOut, int* count, nint* type) => Halves<Smaller>(input, inOut, *count);

    [SkipLocalsInit]
    private static void Brain<T>(nint input, nint inOut, int count)
        where T : ICombiner
    {
        Span<float> left = stackalloc float[Block],
            right = stackalloc float[Block];
        for (int done = 0; done < count; done += Block)
        {
            int n = Math.Min(Block, count - done);
            var result = new Span<ushort>((ushort*)inOut + done, n);
            BrainFloat.Widen(new ReadOnlySpan<ushort>((ushort*)input + done, n), left);
            BrainFloat.Widen(result, right);
            T.Combine(left[..n], right[..n]);
            BrainFloat.Narrow(right[..n], result);
        }
    }

    [SkipLocalsInit]
    private static void Halves<T>(nint input, nint inOut, int count)
        where T : ICombiner
    {
        Span<float> left = stackalloc float[Block],
            right = stackalloc float[Block];
        for (int done = 0; done < count; done += Block)
        {
            int n = Math.Min(Block, count - done);
            var result = new Span<Half>((Half*)inOut + done, n);
            TensorPrimitives.ConvertToSingle(new ReadOnlySpan<Half>((Half*)input + done, n), left);
            TensorPrimitives.ConvertToSingle(result, right);
            T.Combine(left[..n], right[..n]);
            TensorPrimitives.ConvertToHalf(right[..n], result);
        }
    }

    private interface ICombiner
    {
        /// <summary>Combines the left values into the right ones.</summary>
        static abstract void Combine(ReadOnlySpan<float> left, Span<float> right);
    }

    private readonly struct Adder : ICombiner
    {
        public static void Combine(ReadOnlySpan<float> left, Span<float> right) => TensorPrimitives.Add(left, right, right);
    }

    private readonly struct Greater : ICombiner
    {
        public static void Combine(ReadOnlySpan<float> left, Span<float> right) => TensorPrimitives.Max(left, right, right);
    }

    private readonly struct Smaller : ICombiner
    {
        public static void Combine(ReadOnlySpan<float> left, Span<float> right) => TensorPrimitives.Min(left, right, right);
    }
}
