using System.Text.RegularExpressions;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Needles;
using Uniscale.Evaluation.Tests.Support;

namespace Uniscale.Evaluation.Tests.Needles;

public sealed partial class NeedleDocumentsTests : IDisposable
{
    private readonly Tokenizer _tokenizer = SmallTokenizer.Open();

    public void Dispose() => _tokenizer.Dispose();

    [Theory]
    [InlineData(1, 200)]
    [InlineData(2, 400)]
    [InlineData(6, 900)]
    public void EveryNeedleIsHiddenOnceAndAskedForBehindTheText(int needles, int shortest)
    {
        var texts = Made(needles).Make(shortest, shortest + 50, 6).ToList();
        foreach (string text in texts)
        {
            var asked = Answer().Matches(text);
            Assert.Equal(needles, asked.Count);
            Assert.Equal(needles, asked.Select(match => match.Groups["thing"].Value).Distinct().Count());
            Assert.Contains(asked, match => match.Groups["thing"].Value == "this text");
            string body = text[..text.IndexOf("\nQuestion:", StringComparison.Ordinal)];
            foreach (Match match in asked)
            {
                string told = $"The secret number of {match.Groups["thing"]} is {match.Groups["key"]}.";
                Assert.Equal(2, body.Split(told).Length);
            }
            // What is joined as text may have other tokens at the joints.
            Assert.InRange(_tokenizer.Encode(text).Length, shortest - 40 - 2 * needles, shortest + 50 + 2 * needles);
        }
        Assert.Equal(6, texts.Distinct().Count());
        Assert.Equal(texts, Made(needles).Make(shortest, shortest + 50, 6));
    }

    [Fact]
    public void QuestionsHaveAnOrderOfTheirOwn()
    {
        string text = Made(8).Make(1200, 1200, 1).Single();
        int questions = text.IndexOf("\nQuestion:", StringComparison.Ordinal);
        var asked = Answer().Matches(text).Select(match => match.Groups["thing"].Value).ToList();
        var told = asked.OrderBy(thing => text.IndexOf($"number of {thing} is", 0, questions, StringComparison.Ordinal)).ToList();
        Assert.NotEqual(told, asked);
    }

    [Fact]
    public void WhatHasNoRoomIsRefused()
    {
        Assert.Contains(
            "too short for 6 needles",
            Assert.Throws<UserErrorException>(() => Made(6).Make(100, 200, 1)).Message,
            StringComparison.Ordinal
        );
        Assert.Equal(
            $"--needles is 0; give 1 to {NeedleDocuments.MostNeedles}.",
            Assert.Throws<UserErrorException>(() => Made(0)).Message
        );
        Assert.Throws<UserErrorException>(() => Made(NeedleDocuments.MostNeedles + 1));
    }

    private NeedleDocuments Made(int needles) => new(Haystack.Filler(3, _tokenizer), _tokenizer, needles, 7);

    [GeneratedRegex(@"\nAnswer: The secret number of (?<thing>[a-z ]+) is (?<key>\d{7})\.")]
    private static partial Regex Answer();
}
