using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Uniscale.Kernels.Cpu;

namespace Uniscale.Kernels.Tests.Cpu;

/// <summary>Keeps the memory that kernels are given by address: without a reference the collector may take it while they run.</summary>
internal static class HostMemory
{
    private static readonly ConcurrentBag<Array> Arrays = [];

    public static T[] Allocate<T>(int count)
        where T : unmanaged
    {
        var values = GC.AllocateArray<T>(count, pinned: true);
        Arrays.Add(values);
        return values;
    }
}

/// <summary>Values in pinned memory, in fp32 or rounded to bf16, for a kernel to read and write.</summary>
internal sealed class HostTensor
{
    private readonly float[] _floats;
    private readonly ushort[] _halves;

    public HostTensor(KernelType type, params ReadOnlySpan<double> values)
    {
        Type = type;
        _floats = HostMemory.Allocate<float>(type == KernelType.Float32 ? values.Length : 0);
        _halves = HostMemory.Allocate<ushort>(type == KernelType.BFloat16 ? values.Length : 0);
        for (int i = 0; i < values.Length; i++)
        {
            if (type == KernelType.Float32)
                _floats[i] = (float)values[i];
            else
                _halves[i] = ToBFloat16((float)values[i]);
        }
    }

    public KernelType Type { get; }

    public int Length => Type == KernelType.Float32 ? _floats.Length : _halves.Length;

    public nint Address =>
        Type == KernelType.Float32
            ? Marshal.UnsafeAddrOfPinnedArrayElement(_floats, 0)
            : Marshal.UnsafeAddrOfPinnedArrayElement(_halves, 0);

    public double this[int i] => Type == KernelType.Float32 ? _floats[i] : BitConverter.UInt32BitsToSingle((uint)_halves[i] << 16);

    /// <summary>
    /// Whether a product of this many rows and columns runs on kernels of ours, whose bits do not depend on the number of threads, and not
    /// on oneDNN.
    /// </summary>
    public static bool MultipliedByOurKernels(KernelType type, int m, int n, bool packed = false) =>
        type == KernelType.Float32 || CpuKernels.InstructionSet != InstructionSet.Avx512Bf16 || (!packed && n <= m);

    public static HostTensor Zeros(KernelType type, int count) => new(type, new double[count]);

    public static HostTensor Random(KernelType type, int count, int seed, double scale = 1)
    {
        var random = new Random(seed);
        double[] values = new double[count];
        for (int i = 0; i < count; i++)
            values[i] = scale * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
        return new HostTensor(type, values);
    }

    public double[] ToArray()
    {
        double[] values = new double[Length];
        for (int i = 0; i < values.Length; i++)
            values[i] = this[i];
        return values;
    }

    /// <summary>‖this − expected‖ / ‖expected‖.</summary>
    public double RelativeError(double[] expected)
    {
        double difference = 0,
            norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            difference += Math.Pow(this[i] - expected[i], 2);
            norm += Math.Pow(expected[i], 2);
        }
        return Math.Sqrt(difference / Math.Max(norm, 1e-30));
    }

    private static ushort ToBFloat16(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? (ushort)0x7fc0 : (ushort)((bits + 0x7fffu + ((bits >> 16) & 1)) >> 16);
    }
}

/// <summary>int64 values in pinned memory.</summary>
internal sealed class HostIndices
{
    private readonly long[] _values;

    public HostIndices(params ReadOnlySpan<long> indices)
    {
        _values = HostMemory.Allocate<long>(indices.Length);
        indices.CopyTo(_values);
    }

    public nint Address => Marshal.UnsafeAddrOfPinnedArrayElement(_values, 0);

    public long this[int i] => _values[i];
}
