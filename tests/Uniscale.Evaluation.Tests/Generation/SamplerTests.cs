using Uniscale.Configuration;
using Uniscale.Evaluation.Generation;

namespace Uniscale.Evaluation.Tests.Generation;

public class SamplerTests
{
    private static readonly float[] Logits = [0, 2, 1, -5];

    [Fact]
    public void TemperatureZeroAlwaysTakesTheLikeliest()
    {
        var sampler = new Sampler(new SamplingOptions(Temperature: 0));
        Assert.All(Enumerable.Range(0, 20), _ => Assert.Equal(1, sampler.Draw(Logits)));
    }

    [Fact]
    public void TopPLeavesOutTheTail()
    {
        // Probabilities are 0.09, 0.67, 0.24, 0.0006: the first two reach 0.9.
        var sampler = new Sampler(new SamplingOptions(Temperature: 1, TopP: 0.9));
        var drawn = Enumerable.Range(0, 2000).Select(_ => sampler.Draw(Logits)).ToList();
        Assert.Equal([1, 2], drawn.Distinct().Order());
        Assert.InRange(drawn.Count(token => token == 1) / 2000.0, 0.68, 0.79);
    }

    [Fact]
    public void DrawsFollowTheProbabilities()
    {
        var sampler = new Sampler(new SamplingOptions(Temperature: 1, TopP: 1));
        var drawn = Enumerable.Range(0, 20_000).Select(_ => sampler.Draw(Logits)).ToList();
        double sum = Logits.Sum(x => Math.Exp(x));
        for (int token = 0; token < Logits.Length; token++)
            Assert.Equal(Math.Exp(Logits[token]) / sum, drawn.Count(d => d == token) / 20_000.0, 0.015);
    }

    [Fact]
    public void TheSameSeedDrawsTheSame()
    {
        static int[] Draw(long seed)
        {
            var sampler = new Sampler(new SamplingOptions(1, 1, seed));
            return [.. Enumerable.Range(0, 50).Select(_ => sampler.Draw(Logits))];
        }
        Assert.Equal(Draw(7), Draw(7));
        Assert.NotEqual(Draw(7), Draw(8));
    }

    [Theory]
    [InlineData(-1, 0.5), InlineData(double.NaN, 0.5), InlineData(1, 0), InlineData(1, 1.5)]
    public void WhatMakesNoSenseIsRefused(double temperature, double topP) =>
        Assert.Throws<UserErrorException>(() => new Sampler(new SamplingOptions(temperature, topP)));
}
