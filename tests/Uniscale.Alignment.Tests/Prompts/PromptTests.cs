using Uniscale.Alignment.Prompts;
using Uniscale.Alignment.Tests.Support;
using Uniscale.Configuration;
using Uniscale.Data;

namespace Uniscale.Alignment.Tests.Prompts;

public sealed class PromptTests(Sums sums) : IClassFixture<Sums>
{
    [Fact]
    public void APromptIsWhatStandsBeforeTheAnswer()
    {
        var source = Open(sums.Run());
        using var tokenizer = Tokenizer.Load(sums.In("sums.model"));
        Assert.Equal(40, source.Prompts.Count);
        Assert.Equal(0, source.LeftOut);
        var texts = source
            .Prompts.Select(prompt => (Prompt: Plain(tokenizer, prompt.Tokens), Answer: Plain(tokenizer, prompt.Reference)))
            .ToList();
        Assert.Contains(("user\n3 + 2 = ?\nassistant\n", "5"), texts);
        Assert.All(source.Prompts, prompt => Assert.Equal(tokenizer.IdOf("<|im_end|>"), prompt.Reference[^1]));
    }

    [Fact]
    public void WhatLeavesNoRoomForAnAnswerIsLeftOut()
    {
        var error = Assert.Throws<UserErrorException>(() => Open(sums.Run("rollout.max_tokens=60")));
        Assert.Contains(
            "None of the 40 prompts of the data source 'sums' leaves room for an answer of 60 tokens in a context of 64",
            error.Message
        );
    }

    [Fact]
    public void APassSeesEveryPromptOnceAndTheNextInAnotherOrder()
    {
        var source = Open(sums.Run());
        var order = new PromptOrder([source], seed: 5);
        ChatPrompt[] first = [.. Enumerable.Range(0, 40).Select(i => order[i])],
            second = [.. Enumerable.Range(40, 40).Select(i => order[i])];
        Assert.Equal(40, first.Distinct().Count());
        Assert.Equal(40, second.Distinct().Count());
        Assert.NotEqual(first, second);
        Assert.Equal(first, Enumerable.Range(0, 40).Select(i => new PromptOrder([source], seed: 5)[i]));
        Assert.NotEqual(first, Enumerable.Range(0, 40).Select(i => new PromptOrder([source], seed: 6)[i]));
        Assert.NotEqual(order.Fingerprint, new PromptOrder([source], seed: 6).Fingerprint);
    }

    private static PromptSource Open(RunConfiguration run) => PromptSource.Open(run.Data.Sources[0], run, 300);

    private static string Plain(Tokenizer tokenizer, int[] tokens) =>
        string.Concat(
            tokens
                .Where(token => token != tokenizer.BeginId)
                .Select(tokenizer.PieceOf)
                .Where(piece => !piece.Text.StartsWith("<|", StringComparison.Ordinal))
                .Select(piece => piece.Text == "<0x0A>" ? "\n" : piece.Text.Replace('\u2581', ' '))
        );
}
