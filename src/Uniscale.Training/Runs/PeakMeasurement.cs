using System.Diagnostics;
using Uniscale.Collectives;
using Uniscale.Engine.Devices;
using Uniscale.Training.Runtime;
using static TorchSharp.torch;

namespace Uniscale.Training.Runs;

/// <summary>
/// The peak that MFU is measured against on CPUs: GEMM on all ranks at the same time, with the kernels that train. The
/// fastest of them counts, so that what else runs on the machine lowers the MFU and not the peak.
/// </summary>
internal static class PeakMeasurement
{
    // A GEMM of half a millisecond fits between two interruptions of a busy machine, a longer one does not.
    private const int Size = 512;

    private static readonly TimeSpan Duration = TimeSpan.FromMilliseconds(250);

    /// <summary>FLOP/s of all ranks together in a type; every rank calls it.</summary>
    public static double Measure(IProcessGroup world, ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var kernels = RuntimeParts.KernelsFor(CPU, packWeights: true);
        using var owned = kernels as IDisposable;
        var x = rand([Size, Size]).to(type);
        var weight = rand([Size, Size]).to(type);
        kernels.Linear(x, weight, null).Dispose();
        world.Barrier().Wait();
        double fastest = double.PositiveInfinity;
        for (long begin = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begin) < Duration;)
        {
            long start = Stopwatch.GetTimestamp();
            kernels.Linear(x, weight, null).Dispose();
            fastest = Math.Min(fastest, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        var sum = tensor([2.0 * Size * Size * Size / fastest], ScalarType.Float64);
        world.AllReduce(TensorBuffer.Of(sum)).Wait();
        return sum.item<double>();
    }
}
