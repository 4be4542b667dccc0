namespace Uniscale.Telemetry.Tests;

public sealed class ValueHistogramTests
{
    private static ValueHistogram Of(params float[] numbers)
    {
        var histogram = new ValueHistogram();
        histogram.Add(numbers);
        return histogram;
    }

    /// <summary>Every finite number of fp32 lies in one bin, below its upper end and not below its lower one.</summary>
    [Fact]
    public void EveryNumberLiesBetweenTheEndsOfItsBin()
    {
        var random = new Random(3);
        for (int i = 0; i < 20_000; i++)
        {
            float number = BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue));
            if (!float.IsFinite(number))
                continue;
            // The greatest finite number of either sign closes the scale.
            var bins = Of(number, -float.MaxValue, float.MaxValue).Bins;
            int at = Enumerable.Range(0, bins.Count).First(bin => bins[bin].Count > 0 && number <= bins[bin].UpTo);
            Assert.True(at == 0 || number >= bins[at - 1].UpTo, $"{number:R}");
            // A bin is a quarter of a power of two, or less near zero.
            if (at > 0)
                Assert.True(bins[at].UpTo - bins[at - 1].UpTo <= Math.Max(Math.Abs(number) * 0.26, 1e-37), $"{number:R}");
        }
    }

    [Fact]
    public void BinsAscendAndHoldEveryNumberOnce()
    {
        var random = new Random(4);
        float[] numbers = [.. Enumerable.Range(0, 5_000).Select(_ => (float)(random.NextDouble() - 0.5) * 0.2f), 0, -0f, 1e-40f, -1e-40f];
        var histogram = Of(numbers);
        var bins = histogram.Bins;
        Assert.Equal(numbers.Length, bins.Sum(bin => bin.Count));
        Assert.All(bins.Zip(bins.Skip(1)), pair => Assert.True(pair.First.UpTo < pair.Second.UpTo));
        int below = numbers.Count(number => BitConverter.SingleToInt32Bits(number) < 0);
        Assert.Equal(below, bins.Where(bin => bin.UpTo <= 0).Sum(bin => bin.Count));
        Assert.Equal((numbers.Min(), numbers.Max()), ((float)histogram.Least, (float)histogram.Greatest));
        Assert.Equal(numbers.Sum(number => (double)number * number), histogram.SumOfSquares, 1e-9);
    }

    [Fact]
    public void WhatIsNotFiniteIsCountedBesideTheRest()
    {
        var histogram = Of(1, float.NaN, float.PositiveInfinity, float.NegativeInfinity, -2);
        Assert.Equal((2, 3, -1.0), (histogram.Count, histogram.NotFiniteCount, histogram.Sum));
        Assert.Equal(2, histogram.Bins.Sum(bin => bin.Count));
    }

    [Fact]
    public void PartsThatWereSentAddUpToTheWhole()
    {
        float[] numbers = [.. Enumerable.Range(-50, 100).Select(i => i * 0.37f), float.NaN];
        var sum = Sent(Of(numbers[..30]));
        sum.Add(Sent(Of(numbers[30..])));
        var whole = Of(numbers);
        Assert.Equal(whole.Bins, sum.Bins);
        Assert.Equal((whole.Count, whole.NotFiniteCount), (sum.Count, sum.NotFiniteCount));
        Assert.Equal((whole.Least, whole.Greatest), (sum.Least, sum.Greatest));

        static ValueHistogram Sent(ValueHistogram histogram)
        {
            using var bytes = new MemoryStream();
            using var writer = new BinaryWriter(bytes);
            histogram.Write(writer);
            writer.Flush();
            bytes.Position = 0;
            return ValueHistogram.Read(new BinaryReader(bytes));
        }
    }
}
