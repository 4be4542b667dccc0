namespace Uniscale.Configuration.Tests;

/// <summary>The published recipes of proximal policy optimization, as docs/reference/objectives.md has them.</summary>
public sealed class PpoPresetTests
{
    [Fact]
    public void InternLm2HasTheValuesOfItsReport()
    {
        var run = Of("internlm2", "ppo.ptx_sequences=4");
        Assert.Equal((0.01, 0.99, 5e-6, 1e-6), (run.Ppo.Beta, run.Ppo.Lambda, run.Ppo.CriticLr, run.Optimizer.Lr));
        Assert.Equal(
            (0, false, 50, 0.5, 0.9, true),
            (run.Ppo.ValueClip, run.Ppo.WhitenAdvantages, run.Ppo.CriticWarmup, run.Ppo.Ptx, run.Rollout.TopP, run.Ppo.FreshCriticHead)
        );
    }

    [Fact]
    public void OthersHaveTheirs()
    {
        var (gpt, open, trl) = (Of("instructgpt", "ppo.ptx_sequences=4"), Of("openrlhf"), Of("trl"));
        Assert.Equal(
            (0.02, 9e-6, 27.8, 512, 8, 1.0),
            (gpt.Ppo.Beta, gpt.Ppo.CriticLr, gpt.Ppo.Ptx, gpt.Rollout.Prompts, gpt.Rollout.Minibatches, gpt.Rollout.Temperature)
        );
        Assert.Equal(
            (0.01, 1.0, 0.2, 0.5, 10.0, 1024),
            (open.Ppo.Beta, open.Ppo.Lambda, open.Ppo.Clip, open.Ppo.ValueClip, open.Ppo.RewardClip, open.Rollout.Prompts)
        );
        Assert.Equal(
            (0.05, 0.95, 0.2, 0.1, 4, 0.7),
            (trl.Ppo.Beta, trl.Ppo.Lambda, trl.Ppo.ValueClip, trl.Ppo.ValueCoefficient, trl.Rollout.Epochs, trl.Rollout.Temperature)
        );
    }

    [Fact]
    public void TheFilesOwnValuesWin() =>
        Assert.Equal(
            (0.3, 3),
            (
                Of("trl", "ppo.beta=0.3", "rollout.epochs=3", "train.steps=3").Ppo.Beta,
                Of("trl", "rollout.epochs=3", "train.steps=3").Rollout.Epochs
            )
        );

    [Theory]
    [InlineData("trll", "did you mean 'trl'?")]
    [InlineData("internlm2", "ppo.ptx is 0.5, but an update has no text: set ppo.ptx_sequences")]
    public void WhatDoesNotFitIsOneSentence(string preset, string expected) =>
        Assert.Contains(expected, Assert.Throws<UserErrorException>(() => Of(preset)).Message);

    private static RunConfiguration Of(string preset, params string[] more) =>
        ConfigurationLoader
            .Parse(
                $"objective: ppo\nppo: {{ preset: {preset} }}\nrewards: [{{kind: number}}]\ntrain: {{ steps: 8 }}\nmodel: {{ context: 512 }}",
                more
            )
            .Value;
}
