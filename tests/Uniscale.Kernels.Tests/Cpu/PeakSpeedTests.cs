using Uniscale.Kernels.Cpu;

namespace Uniscale.Kernels.Tests.Cpu;

public sealed class PeakSpeedTests
{
    [Theory]
    [InlineData(KernelType.Float32)]
    [InlineData(KernelType.BFloat16)]
    public void No_product_is_faster_than_the_peak(KernelType type)
    {
        const int size = 256;
        var a = HostTensor.Random(type, size * size, seed: 1);
        var b = HostTensor.Random(type, size * size, seed: 2);
        var c = HostTensor.Random(KernelType.Float32, size * size, seed: 3);
        double best = 0;
        for (int round = 0; round < 20; round++)
        {
            long start = System.Diagnostics.Stopwatch.GetTimestamp();
            MatrixProduct.Multiply(
                size,
                size,
                size,
                new(a.Address, type, size),
                new(b.Address, type, size),
                new(c.Address, KernelType.Float32, size)
            );
            best = Math.Max(best, 2.0 * size * size * size / System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        double peak = PeakSpeed.Flops(type, Environment.ProcessorCount, TimeSpan.FromMilliseconds(20));
        // The speed of a shared machine drifts between the two measurements, hence the room.
        Assert.InRange(peak, 0.5 * best, 1e15);
    }

    [Fact]
    public void Copies_have_a_speed() => Assert.InRange(PeakSpeed.CopyBandwidth(2, rounds: 3), 1e7, 1e13);

    [Fact]
    public void Copies_have_a_speed_again_and_again()
    {
        using var copy = new PlainCopy();
        Assert.All(Enumerable.Range(1, 3), threads => Assert.InRange(copy.Bandwidth(threads), 1e7, 1e13));
    }
}
