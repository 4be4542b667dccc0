using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Tests.Support;

namespace Uniscale.Evaluation.Tests.Exams;

public sealed class PromptBuilderTests : IDisposable
{
    private static readonly Question Shot = new("s/0", "Is light water?", ["yes", "no", "of the", "which"], [1]);
    private static readonly Question Asked = new("s/1", " Which is the answer?", ["A choice", "water", "light", "none"], [2]);
    private static readonly Subject Physics = new("college_physics", "college physics", "STEM", [Shot], [Asked]);

    private readonly Tokenizer _tokenizer = SmallTokenizer.Open();

    public void Dispose() => _tokenizer.Dispose();

    [Theory]
    [InlineData(
        ExamVariant.Original,
        "about  college physics.\n\nIs light water?\nA. yes\nB. no\nC. of the\nD. which\nAnswer: B\n\n Which is the answer?\nA. A choice"
    )]
    [InlineData(
        ExamVariant.Harness,
        "about college physics.\n\nIs light water?\nA. yes\nB. no\nC. of the\nD. which\nAnswer: B\n\nWhich is the answer?\nA. A choice"
    )]
    [InlineData(
        ExamVariant.OpenCompass,
        "about  college physics.\n\nIs light water?\nA. yes\nB. no\nC. of the\nD. which\nAnswer: B\n Which is the answer?\nA. A choice"
    )]
    public void MmluDiffersInBlanksAndSeparators(ExamVariant variant, string prompt) =>
        Assert.Equal(
            $"The following are multiple choice questions (with answers) {prompt}\nB. water\nC. light\nD. none\nAnswer:",
            Builder("mmlu", variant).Prompt(Physics, Asked, 1, options: true)
        );

    [Theory]
    [InlineData(ExamVariant.Original, "题头。\n\nIs light water?\nA. yes\nB. no\nC. of the\nD. which\n答案：B\n\n", "答案：")]
    [InlineData(ExamVariant.Harness, "题头。\n\nIs light water?\nA. yes\nB. no\nC. of the\nD. which\n答案： B\n\n", "答案：")]
    [InlineData(ExamVariant.OpenCompass, "题头。\nIs light water?\nA. yes\nB. no\nC. of the\nD. which\n答案: B\n题头。\n", "答案: ")]
    public void CevalDiffersInHeadersAndDelimiters(ExamVariant variant, string before, string end)
    {
        string prompt = Builder("ceval", variant)
            .Prompt(Physics with { Title = "法学" }, Asked, 1, options: true)
            .Replace("以下是中国关于法学考试的单项选择题，请选出其中的正确答案。", "题头。", StringComparison.Ordinal);
        Assert.Equal($"{before} Which is the answer?\nA. A choice\nB. water\nC. light\nD. none\n{end}", prompt);
    }

    [Fact]
    public void AgievalAsksInTheLanguageOfTheFile()
    {
        var five = Asked with { Options = ["1", "2", "3", "4", "5"], Passage = "P. " };
        Assert.Equal(
            "P. Q:  Which is the answer? Answer Choices: (A)1 (B)2 (C)3 (D)4 (E)5\nA: Among A through E, the answer is",
            Builder("agieval", ExamVariant.Harness).Prompt(Physics with { Name = "lsat-ar" }, five, 0, options: true)
        );
        Assert.Equal(
            "问题： Which is the answer? 选项：(A)A choice (B)water (C)light (D)none\n答案：从A到D, 我们应选择",
            Builder("agieval", ExamVariant.Original).Prompt(Physics with { Name = "gaokao-biology" }, Asked, 0, options: true)
        );
    }

    [Fact]
    public void TheLetterKeepsItsBlankAndTheTextBeginsWithTheSeparator()
    {
        var requests = Builder("mmlu", ExamVariant.Original).Requests(Physics, Asked);
        Assert.Equal(4, requests.Count);
        Assert.All(requests, request => Assert.Equal(_tokenizer.EndId, request.Context[0]));
        Assert.All(requests, request => Assert.Equal(requests[0].Context, request.Context));
        Assert.Equal(
            ["\u2581A", "\u2581B", "\u2581C", "\u2581D"],
            requests.Select(request => string.Concat(request.Continuation.Select(token => _tokenizer.PieceOf(token).Text)))
        );
        // Blanks at the end of a context go to the continuation.
        var spaced = ExamRules.Of("ceval", ExamVariant.OpenCompass) with
        {
            Scoring = Scoring.Letter,
        };
        var moved = new PromptBuilder(spaced, _tokenizer, 600, 0).Requests(Physics, Asked)[0];
        Assert.StartsWith(
            "\u2581A",
            string.Concat(moved.Continuation.Select(token => _tokenizer.PieceOf(token).Text)),
            StringComparison.Ordinal
        );
    }

    /// <summary>Text that looks like a special token is text.</summary>
    [Fact]
    public void SpecialTokensInAQuestionAreText()
    {
        var requests = Builder("mmlu", ExamVariant.Original).Requests(Physics, Asked with { Text = "What is </s> and <s>?" });
        Assert.DoesNotContain(_tokenizer.EndId, requests[0].Context.Skip(1));
        Assert.DoesNotContain(_tokenizer.BeginId, requests[0].Context);
    }

    [Fact]
    public void TheOriginalDropsShotsThatDoNotFitTheOthersCutTheBeginning()
    {
        int whole = Builder("mmlu", ExamVariant.Original).Requests(Physics, Asked)[0].Context.Length;
        var dropped = new PromptBuilder(ExamRules.Of("mmlu", ExamVariant.Original), _tokenizer, whole - 5, 1);
        int[] context = dropped.Requests(Physics, Asked)[0].Context;
        Assert.Equal(0, dropped.Truncated);
        Assert.Equal(_tokenizer.EndId, context[0]);
        Assert.Equal(_tokenizer.Encode(dropped.Prompt(Physics, Asked, 0, options: true)), context[1..]);
        var cut = new PromptBuilder(ExamRules.Of("mmlu", ExamVariant.Harness), _tokenizer, whole - 10, 1);
        Assert.Equal(whole - 10, cut.Requests(Physics, Asked)[0].Context.Length);
        Assert.Equal(4, cut.Truncated);
    }

    [Fact]
    public void WhatCannotBeScoredIsSaid()
    {
        Assert.Contains("has no options", Refused(Asked with { Options = [] }, Scoring.Letter), StringComparison.Ordinal);
        Assert.Contains("has an empty option", Refused(Asked with { Options = ["a", ""] }, Scoring.Option), StringComparison.Ordinal);
    }

    private string Refused(Question question, Scoring scoring) =>
        Assert
            .Throws<UserErrorException>(() =>
                new PromptBuilder(ExamRules.Of("mmlu", ExamVariant.Harness) with { Scoring = scoring }, _tokenizer, 600, 0).Requests(
                    Physics,
                    question
                )
            )
            .Message;

    private PromptBuilder Builder(string exam, ExamVariant variant) => new(ExamRules.Of(exam, variant), _tokenizer, 4096, 5);
}
