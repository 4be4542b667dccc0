using Uniscale.Evaluation.Execution;

namespace Uniscale.Evaluation.Exams.Answers;

/// <summary>What a text that a model wrote scores with a question.</summary>
internal static class WrittenScores
{
    /// <summary>The answer that the rule takes from a text.</summary>
    public static string Taken(Question question, AnswerRule rule, string text) =>
        rule switch
        {
            AnswerRule.Letter => LetterAnswers.Named(text, question.Options.Count),
            AnswerRule.LastLetter => LetterAnswers.Last(text),
            AnswerRule.LetterList => LetterAnswers.List(text, question.Solutions.Count),
            AnswerRule.LetterSet => LetterAnswers.Set(text),
            AnswerRule.FiveOfSeven => LetterAnswers.FiveOfSeven(text),
            AnswerRule.Number => PlainAnswers.LastNumber(text)?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "",
            AnswerRule.Boxed => MathAnswers.Extract(text),
            AnswerRule.Code => text,
            _ => (question.TakesFirstLine ? LongAnswers.FirstLine(text) : text).Trim(),
        };

    /// <summary>Metric by metric, from 0 to 1; the first one is the rule's own.</summary>
    /// <param name="question">The question.</param>
    /// <param name="rule">How the answer is taken and scored.</param>
    /// <param name="text">What the model wrote.</param>
    /// <param name="code">Runs it, where the rule is <see cref="AnswerRule.Code"/>.</param>
    public static IReadOnlyDictionary<string, double> Of(Question question, AnswerRule rule, string text, ICodeRunner? code = null)
    {
        string taken = Taken(question, rule, text);
        return rule switch
        {
            AnswerRule.Letter => One("acc", question.Answers.Count > 0 && taken.Order().SequenceEqual(question.AnswerLetters.Order())),
            AnswerRule.LetterSet => Points(SetShare(taken, string.Concat(string.Concat(question.Solutions).Order()))),
            AnswerRule.LastLetter or AnswerRule.LetterList or AnswerRule.FiveOfSeven => Points(ListShare(taken, question.Solutions)),
            AnswerRule.Number => One(
                "acc",
                question.Solutions.Any(solution =>
                    PlainAnswers.LastNumber(text) is { } number && PlainAnswers.LastNumber(solution) == number
                )
            ),
            AnswerRule.Boxed => One("acc", question.Solutions.Any(solution => MathAnswers.Equal(taken, solution))),
            AnswerRule.Rouge => One("rouge_l", LongAnswers.Rouge(taken, question.Solutions)),
            AnswerRule.Class => One("acc", LongAnswers.Class(taken, question.Solutions, question.Classes)),
            AnswerRule.NumberShare => One("acc", LongAnswers.NumberShare(taken, question.Solutions)),
            AnswerRule.CodeSimilarity => One("similarity", LongAnswers.CodeSimilarity(taken, question.Solutions)),
            AnswerRule.Code => One(
                "acc",
                (code ?? throw new InvalidOperationException("Nothing runs code.")).Passes(question.Tested!.Program(text))
            ),
            AnswerRule.F1 => new Dictionary<string, double>
            {
                ["f1"] = PlainAnswers.F1(taken, question.Solutions),
                ["exact_match"] = Number(PlainAnswers.Equal(taken, question.Solutions)),
            },
            _ => new Dictionary<string, double>
            {
                ["exact_match"] = Number(PlainAnswers.Equal(taken, question.Solutions)),
                ["f1"] = PlainAnswers.F1(taken, question.Solutions),
            },
        };
    }

    /// <summary>
    /// The probability that one of k samples is right, estimated from n of which c are: 1 − C(n−c, k)/C(n, k) (Chen et al., Codex, 2021).
    /// </summary>
    public static double PassAt(int samples, int right, int k)
    {
        double none = 1;
        for (int i = 0; i < k; i++)
            none *= Math.Max(0, samples - right - i) / (double)(samples - i);
        return 1 - none;
    }

    /// <summary>All letters: all points; a part of them and no wrong one: half.</summary>
    private static double SetShare(string taken, string right) =>
        taken == right ? 1
        : taken.Length > 0 && taken.All(letter => right.Contains(letter, StringComparison.Ordinal)) ? 0.5
        : 0;

    private static double ListShare(string taken, IReadOnlyList<string> right) =>
        Enumerable.Range(0, right.Count).Count(i => i < taken.Length && right[i].Trim() == taken[i].ToString()) / (double)right.Count;

    private static Dictionary<string, double> Points(double share) => new() { ["points"] = share, ["acc"] = Number(share == 1) };

    private static Dictionary<string, double> One(string metric, bool right) => One(metric, Number(right));

    private static Dictionary<string, double> One(string metric, double score) => new() { [metric] = score };

    private static double Number(bool right) => right ? 1 : 0;
}
