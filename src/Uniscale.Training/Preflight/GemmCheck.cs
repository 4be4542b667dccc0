using System.Diagnostics;
using TorchSharp;
using Uniscale.Engine.Devices;
using Uniscale.Kernels;
using static TorchSharp.torch;

namespace Uniscale.Training.Preflight;

/// <summary>
/// A GEMM with a known result, by the kernels that train. The factors are −1, 0 and 1 with at most 128 terms a sum, so that every sum on
/// the way is a whole number that
/// bf16 holds too: in any order, precision and blocking one result is right, and every bit of it. It is proved by Freivalds' product with a
/// vector
/// (R. Freivalds, "Probabilistic machines can use less running time", 1977), at the cost of a vector instead of a matrix.
/// </summary>
internal sealed class GemmCheck : IDisposable
{
    /// <summary>On the host a product fits between two interruptions of a busy machine; a device needs more to be busy.</summary>
    private const int HostSize = 512,
        DeviceSize = 4096,
        MostTerms = 128;

    private readonly HostLink _link;
    private readonly IKernels _kernels;
    private readonly int _size;
    private readonly Tensor _x;
    private readonly Tensor _weight;

    /// <param name="link">Where to compute.</param>
    /// <param name="kernels">By what.</param>
    /// <param name="type">In which precision.</param>
    public GemmCheck(HostLink link, IKernels kernels, ScalarType type)
    {
        (_link, _kernels, _size) = (link, kernels, link.Device.type == DeviceType.CPU ? HostSize : DeviceSize);
        _x = Factor(Left);
        _weight = Factor(Right);

        Tensor Factor(Func<int, int, int> element)
        {
            float[] values = new float[_size * _size];
            for (int i = 0; i < _size; i++)
                for (int j = 0; j < _size; j++)
                    values[i * _size + j] = element(i, j);
            using var whole = tensor(values, [_size, _size]);
            using var typed = whole.to(type);
            return link.Upload(typed);
        }
    }

    /// <summary>Multiplies for so long.</summary>
    /// <returns>FLOP/s of the fastest product, and what was wrong with one of them in words; empty: nothing.</returns>
    public (double Rate, string Wrong) Run(TimeSpan time)
    {
        using var noGrad = no_grad();
        string wrong = "";
        double fastest = double.PositiveInfinity;
        long begin = Stopwatch.GetTimestamp();
        for (bool isFirst = true; isFirst || Stopwatch.GetElapsedTime(begin) < time; isFirst = false)
        {
            long start = Stopwatch.GetTimestamp();
            using var product = _kernels.Linear(_x, _weight, null);
            _link.Await();
            // The first packs the weight, and may wake the device.
            if (!isFirst || Stopwatch.GetElapsedTime(start) > time)
                fastest = Math.Min(fastest, Stopwatch.GetElapsedTime(start).TotalSeconds);
            if (isFirst)
                wrong = Prove(product);
        }
        return (2.0 * _size * _size * _size / fastest, wrong);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _x.Dispose();
        _weight.Dispose();
    }

    /// <summary>
    /// Holds a product against the factors: its rows times a vector must be what the left factor makes of the right one's rows times the
    /// vector.
    /// </summary>
    private string Prove(Tensor product)
    {
        using var wide = product.to(ScalarType.Float32);
        float[] values = _link.Read<float>(wide);
        double[] right = new double[_size];
        for (int j = 0; j < _size; j++)
            for (int k = 0; k < _size; k++)
                right[k] += Right(j, k) * (double)(j + 1);
        int rows = 0;
        for (int i = 0; i < _size; i++)
        {
            double expected = 0,
                found = 0;
            bool isWhole = true;
            for (int k = 0; k < _size; k++)
                expected += Left(i, k) * right[k];
            foreach (float value in values.AsSpan(i * _size, _size))
                isWhole &= value == MathF.Truncate(value);
            for (int j = 0; j < _size; j++)
                found += values[i * _size + j] * (double)(j + 1);
            if (!isWhole || found != expected)
                rows++;
        }
        return rows == 0 ? "" : $"multiplies matrices wrongly ({rows} of {_size} rows of a product whose result is known)";
    }

    private int Left(int i, int k) => (i + k) % (_size / MostTerms) == 0 ? Sign(i * 31 + k * 17) : 0;

    private static int Right(int j, int k) => Sign(j * 13 + k * 29 + j * k);

    private static int Sign(int hash) => ((hash >> 2) & 1) == 0 ? 1 : -1;
}
