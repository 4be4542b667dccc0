using Uniscale.Configuration;
using Uniscale.Evaluation.Exams.Answers;
using Uniscale.Evaluation.Exams.Files;

namespace Uniscale.Evaluation.Exams;

/// <summary>How an answer is found.</summary>
public enum Scoring
{
    /// <summary>The letter with the largest log-likelihood behind the prompt.</summary>
    Letter,

    /// <summary>No options in the prompt; the option whose text has the largest log-likelihood.</summary>
    Option,

    /// <summary>The whole prompt with each letter; the smallest mean loss of all its tokens.</summary>
    Perplexity,

    /// <summary>The model writes, and a rule takes the answer from its text.</summary>
    Written,
}

/// <summary>What the score of an exam is the mean of.</summary>
public enum Averaging
{
    /// <summary>All questions.</summary>
    Questions,

    /// <summary>The subjects' scores.</summary>
    Subjects,

    /// <summary>All questions, by the points that they give.</summary>
    Points,
}

/// <summary>The rules of an exam in a variant (sources: docs/how-to/evaluation.md).</summary>
public sealed record ExamRules
{
    /// <summary>What stands first, given the subject.</summary>
    public required Func<Subject, string> Header { get; init; }

    /// <summary>The header stands before each shot too.</summary>
    public bool HeaderOfEachShot { get; init; }

    /// <summary>A question up to the place of the answer, without what separates the two; the second argument: with its options.</summary>
    public required Func<Question, Subject, bool, string> Question { get; init; }

    /// <summary>Between a question and its answer.</summary>
    public required string Delimiter { get; init; }

    /// <summary>Behind the answer of a shot.</summary>
    public required string Separator { get; init; }

    /// <summary>How the answer is found.</summary>
    public required Scoring Scoring { get; init; }

    /// <summary>What is averaged.</summary>
    public required Averaging Averaging { get; init; }

    /// <summary>Shots by default.</summary>
    public required int Shots { get; init; }

    /// <summary>Shots are left out until the prompt fits; otherwise its beginning is.</summary>
    public bool DropsShots { get; init; }

    /// <summary>Name of the metric that counts, where those of the subjects differ; null: they have their own.</summary>
    public string? Metric { get; init; }

    /// <summary>A prompt that is too long loses its middle; otherwise its beginning.</summary>
    public bool TruncatesMiddle { get; init; }

    /// <summary>A question with several right answers is answered right by any of them; otherwise by no single letter.</summary>
    public bool AnyRightAnswer { get; init; }

    /// <summary>How the answer is taken from what the model writes.</summary>
    public AnswerRule Rule { get; init; } = AnswerRule.Letter;

    /// <summary>Texts before which what the model writes ends.</summary>
    public IReadOnlyList<string> Stops { get; init; } = [];

    /// <summary>Tokens that the model may write.</summary>
    public int AnswerTokens { get; init; } = 256;

    /// <summary>Texts that the model writes for each question; several need a temperature.</summary>
    public int Samples { get; init; } = 1;

    /// <summary>Temperature of the texts; 0: greedy.</summary>
    public double Temperature { get; init; }

    /// <summary>The k of pass@k.</summary>
    public IReadOnlyList<int> PassAt { get; init; } = [];

    /// <summary>The rules of an exam.</summary>
    public static ExamRules Of(string exam, ExamVariant variant) =>
        exam switch
        {
            "ceval" => Ceval(variant),
            "agieval" => Agieval(variant),
            "gaokao" => Gaokao(),
            "race" or "c3" => TaskRules.Reading(exam == "c3"),
            "triviaqa" or "nq" => TaskRules.OpenQuestions(),
            "gsm8k" => TaskRules.WordProblems(),
            "math" => TaskRules.Mathematics(),
            "humaneval" => TaskRules.Completion(),
            "mbpp" => TaskRules.Programs(),
            "longbench" => TaskRules.LongTexts(),
            _ => Mmlu(variant),
        };

    private static ExamRules Mmlu(ExamVariant variant) =>
        new()
        {
            // The original's subject begins with a blank, so its prompt holds two; OpenCompass copied it.
            Header = subject =>
                $"The following are multiple choice questions (with answers) about {(variant == ExamVariant.Harness ? "" : " ")}{subject.Title}.\n\n",
            Question = (question, _, options) =>
                (variant == ExamVariant.Harness ? question.Text.Trim() : question.Text) + (options ? Lines(question) : "") + "\nAnswer:",
            Delimiter = " ",
            Separator = variant == ExamVariant.OpenCompass ? "\n" : "\n\n",
            Scoring = variant == ExamVariant.OpenCompass ? Scoring.Perplexity : Scoring.Letter,
            Averaging = variant == ExamVariant.OpenCompass ? Averaging.Subjects : Averaging.Questions,
            Shots = 5,
            DropsShots = variant == ExamVariant.Original,
        };

    private static ExamRules Ceval(ExamVariant variant) =>
        new()
        {
            Header = subject =>
                $"以下是中国关于{subject.Title}考试的单项选择题，请选出其中的正确答案。\n{(variant == ExamVariant.OpenCompass ? "" : "\n")}",
            HeaderOfEachShot = variant == ExamVariant.OpenCompass,
            Question = (question, _, options) =>
                question.Text + (options ? Lines(question) : "") + (variant == ExamVariant.OpenCompass ? "\n答案: " : "\n答案："),
            // The harness's default delimiter stays, although the text needs none.
            Delimiter = variant == ExamVariant.Harness ? " " : "",
            Separator = variant == ExamVariant.OpenCompass ? "\n" : "\n\n",
            Scoring = variant == ExamVariant.OpenCompass ? Scoring.Perplexity : Scoring.Letter,
            Averaging = variant == ExamVariant.Harness ? Averaging.Questions : Averaging.Subjects,
            Shots = 5,
            DropsShots = variant == ExamVariant.Original,
        };

    private static ExamRules Agieval(ExamVariant variant) =>
        new()
        {
            Header = _ => "",
            Question = (question, subject, options) =>
            {
                string choices = string.Join(' ', question.Options.Select((option, i) => $"({Exams.Question.LetterOf(i)}){option}"));
                char last = Exams.Question.LetterOf(question.Options.Count - 1);
                return AgievalFiles.IsChinese(subject.Name)
                    ? $"{question.Passage}问题：{question.Text}{(options ? $" 选项：{choices}" : "")}\n答案：{(options ? $"从A到{last}, 我们应选择" : "")}"
                    : $"{question.Passage}Q: {question.Text}{(options ? $" Answer Choices: {choices}" : "")}\nA:{(options ? $" Among A through {last}, the answer is" : "")}";
            },
            Delimiter = " ",
            Separator = "\n\n",
            Scoring = variant == ExamVariant.OpenCompass ? Scoring.Perplexity : Scoring.Letter,
            Averaging = Averaging.Subjects,
            Shots = 0,
            AnyRightAnswer = variant == ExamVariant.Harness,
        };

    /// <summary>The sentence is ours; its marks are those of GAOKAO-Bench, which the rules look for.</summary>
    private static ExamRules Gaokao() =>
        new()
        {
            Header = _ => "",
            Question = (question, _, _) =>
                $"请先在【解析】和<eoe>之间写出解题思路，再在【答案】和<eoa>之间只写答案的字母。\n题目：{question.Text}\n【解析】",
            Delimiter = "",
            Separator = "\n\n",
            Scoring = Scoring.Written,
            Averaging = Averaging.Points,
            Shots = 0,
            Stops = ["<eoa>"],
            AnswerTokens = 1024,
        };

    private static string Lines(Question question) =>
        string.Concat(question.Options.Select((option, i) => $"\n{Exams.Question.LetterOf(i)}. {option}"));
}
