namespace Uniscale.Data.Tests;

public sealed class InterleavingTests
{
    private static readonly double[] Published = [1205.3, 78.2, 72.7, 52.7, 122.2, 73.8];

    [Fact]
    public void Counts_never_stray_beyond_the_bound_and_agree_with_the_dealt_samples()
    {
        var random = new Random(3);
        for (int trial = 0; trial < 60; trial++)
        {
            double[] weights =
                trial == 0 ? Published : [.. Enumerable.Range(0, random.Next(1, 12)).Select(_ => Math.Pow(random.NextDouble(), 3) + 1e-4)];
            var interleaving = new Interleaving(weights);
            Assert.InRange(interleaving.Bound, 0, 1.7);
            long[] counts = new long[weights.Length];
            for (int n = 0; n < 2000; n++)
            {
                (int source, long ordinal) = interleaving.At(n);
                Assert.Equal(counts[source], ordinal);
                counts[source]++;
                if (n % 97 == 0)
                    Assert.Equal(counts, interleaving.CountsOf(n + 1));
                for (int s = 0; s < weights.Length; s++)
                    Assert.InRange(counts[s] - (n + 1) * interleaving.Weights[s], -interleaving.Bound - 1e-9, interleaving.Bound + 1e-9);
            }
        }
    }

    [Fact]
    public void The_published_mixture_is_dealt_within_about_one_sample() => Assert.InRange(new Interleaving(Published).Bound, 0.5, 1.03);

    [Fact]
    public void Far_out_in_the_run_it_is_as_exact()
    {
        var interleaving = new Interleaving(Published);
        const long far = 783_000_000_000;
        long[] counts = interleaving.CountsOf(far);
        Assert.Equal(far, counts.Sum());
        for (int s = 0; s < counts.Length; s++)
            Assert.InRange(counts[s] - (decimal)far * (decimal)interleaving.Weights[s], -2, 2);
        (int source, long ordinal) = interleaving.At(far);
        Assert.Equal(counts[source], ordinal);
    }

    [Fact]
    public void A_source_without_weight_is_never_drawn()
    {
        var interleaving = new Interleaving([1, 0, 1]);
        Assert.Equal([500, 0, 500], interleaving.CountsOf(1000));
        Assert.DoesNotContain(1, Enumerable.Range(0, 1000).Select(n => interleaving.At(n).Source));
    }

    [Fact]
    public void Any_fibonacci_weights_stay_below_the_proven_bound()
    {
        double[] weights = [1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377];
        Assert.InRange(new Interleaving(weights).Bound, 0.5, 1.7);
    }

    [Theory]
    [InlineData(new double[] { 0, 0 })]
    [InlineData(new double[] { 1, -1 })]
    [InlineData(new double[] { 1, double.NaN })]
    public void Impossible_weights_are_refused(double[] weights) => Assert.Throws<ArgumentException>(() => new Interleaving(weights));
}
