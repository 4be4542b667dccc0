using Uniscale.Evaluation.Inference;

namespace Uniscale.Evaluation.Tests.Inference;

public sealed class LogProbabilitiesTests
{
    private const float None = float.NegativeInfinity;

    [Fact]
    public void TheLikeliestIsTheFirstOfTheLargest()
    {
        float[] logits = [.. Enumerable.Range(0, 1000).Select(i => (float)(i * 37 % 101))];
        Assert.Equal(Array.IndexOf(logits, 100f), LogProbabilities.Likeliest(logits));
        Assert.Equal(2, LogProbabilities.Likeliest([None, -3, -1, -1]));
    }

    /// <summary>A model that has diverged has no numbers; what may not be drawn is not drawn for that.</summary>
    [Fact]
    public void WhatIsNoNumberIsNotTheLikeliest()
    {
        Assert.Equal(3, LogProbabilities.Likeliest([float.NaN, 1, float.NaN, 2, None]));
        Assert.Equal(0, LogProbabilities.Likeliest([float.NaN, float.NaN, None, None]));
        Assert.Equal(0, LogProbabilities.Likeliest([None, None]));
    }

    [Fact]
    public void ProbabilitiesSumToOne()
    {
        float[] logits = [.. Enumerable.Range(0, 37).Select(i => i % 7 - 3f)];
        Assert.Equal(1, Enumerable.Range(0, 37).Sum(i => Math.Exp(LogProbabilities.Of(logits, i, 0.7))), 1e-12);
        Assert.Equal(None, LogProbabilities.LogSumExp([None, None]));
    }
}
