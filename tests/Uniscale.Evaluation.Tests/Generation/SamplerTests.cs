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

    [Fact]
    public void TopKAndMinPLeaveOutTheUnlikely()
    {
        static int[] Drawn(SamplingOptions options)
        {
            var sampler = new Sampler(options);
            return [.. Enumerable.Range(0, 3000).Select(_ => sampler.Draw(Logits)).Distinct().Order()];
        }
        var plain = SamplingOptions.Plain(5);
        Assert.Equal([1, 2], Drawn(plain with { TopK = 2 }));
        // Shares of the likeliest one's probability: 0.135, 1, 0.37, 0.0009.
        Assert.Equal([0, 1, 2], Drawn(plain with { MinP = 0.13 }));
        Assert.Equal([1, 2], Drawn(plain with { MinP = 0.14 }));
        Assert.Equal([1], Drawn(plain with { TopK = 1 }));
    }

    [Fact]
    public void TheRepetitionPenaltyWorksOnThePromptAndOnWhatWasDrawn()
    {
        var sampler = new Sampler(SamplingOptions.Greedy with { RepetitionPenalty = 3 }, prompt: [1]);
        // 2 becomes 0.67, so 1 wins; then that becomes 0.33; then 0.67 is the largest.
        Assert.Equal([2, 1, 1], Enumerable.Range(0, 3).Select(_ => sampler.Draw(Logits)));
        float[] negative = [-1, -2];
        Assert.Equal(1, new Sampler(SamplingOptions.Greedy with { RepetitionPenalty = 3 }, prompt: [0]).Draw(negative));
    }

    [Fact]
    public void WhatMayNotBeDrawnIsNot()
    {
        bool[] drawable = [true, false, true];
        var sampler = new Sampler(SamplingOptions.Plain(3));
        Assert.Equal([0, 2], Enumerable.Range(0, 500).Select(_ => sampler.Draw(Logits, drawable)).Distinct().Order());
    }

    /// <summary>With many tokens the likeliest are looked for in parts; the set is that of the definition.</summary>
    [Theory]
    [InlineData(1, 0.5), InlineData(0.3, 0.99), InlineData(3, 0.999), InlineData(0.05, 0.9)]
    public void TopPOfALargeVocabularyIsTheSmallestSetThatReachesIt(double temperature, double topP)
    {
        var random = new Random(1);
        float[] logits = [.. Enumerable.Range(0, 5000).Select(_ => (float)(random.NextDouble() * 20))];
        double total = logits.Sum(logit => Math.Exp(logit / temperature));
        var expected = new HashSet<int>();
        double mass = 0;
        foreach (int token in Enumerable.Range(0, 5000).OrderByDescending(token => logits[token]))
        {
            if (mass >= topP * total)
                break;
            expected.Add(token);
            mass += Math.Exp(logits[token] / temperature);
        }
        var sampler = new Sampler(new SamplingOptions(temperature, topP, 1));
        var drawn = Enumerable.Range(0, 300).Select(_ => sampler.Draw(logits)).ToHashSet();
        Assert.Subset(expected, drawn);
        Assert.InRange(drawn.Count, Math.Min(expected.Count, 120) * 0.3, expected.Count);
    }

    [Theory]
    [InlineData(-1, 0.5), InlineData(double.NaN, 0.5), InlineData(1, 0), InlineData(1, 1.5)]
    public void WhatMakesNoSenseIsRefused(double temperature, double topP) =>
        Assert.Throws<UserErrorException>(() => new Sampler(new SamplingOptions(temperature, topP)));
}
