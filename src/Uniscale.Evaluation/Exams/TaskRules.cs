using Uniscale.Evaluation.Exams.Answers;

namespace Uniscale.Evaluation.Exams;

/// <summary>
/// The rules of tasks that are answered in words, numbers, formulas or code, and of reading. They are the same in all variants: sentences
/// in prompts are ours, marks and stops those of the tasks.
/// </summary>
internal static class TaskRules
{
    /// <summary>A passage, a question, options with letters.</summary>
    public static ExamRules Reading(bool chinese) =>
        Base with
        {
            Question = (question, _, options) =>
            {
                string choices = options
                    ? string.Concat(question.Options.Select((option, i) => $"\n{Exams.Question.LetterOf(i)}. {option}"))
                    : "";
                return chinese
                    ? $"文章：{question.Passage}\n问题：{question.Text}{choices}\n答案："
                    : $"Article: {question.Passage}\nQuestion: {question.Text}{choices}\nAnswer:";
            },
            Delimiter = chinese ? "" : " ",
            Scoring = Scoring.Letter,
            Shots = 0,
        };

    /// <summary>Short answers, any of several spellings.</summary>
    public static ExamRules OpenQuestions() => Base with { Rule = AnswerRule.ExactMatch, Shots = 5, Stops = ["\n"], AnswerTokens = 32 };

    /// <summary>Numbers at the end of a solution in words.</summary>
    public static ExamRules WordProblems() =>
        Base with
        {
            Rule = AnswerRule.Number,
            Shots = 5,
            Stops = ["\nQuestion:", "\n\n"],
            AnswerTokens = 256,
        };

    /// <summary>Formulas, boxed at the end of a solution.</summary>
    public static ExamRules Mathematics() =>
        Base with
        {
            Question = (question, _, _) => $"Problem:\n{question.Text}\n\nSolution:",
            Rule = AnswerRule.Boxed,
            Shots = 4,
            Stops = ["\nProblem:"],
            AnswerTokens = 512,
        };

    /// <summary>Bodies of functions.</summary>
    public static ExamRules Completion() =>
        Base with
        {
            Question = (question, _, _) => question.Text,
            Delimiter = "",
            Rule = AnswerRule.Code,
            Shots = 0,
            Stops = ["\nclass", "\ndef", "\n#", "\nif", "\nprint"],
            AnswerTokens = 512,
            PassAt = [1],
        };

    /// <summary>Programs for a sentence and the tests that they are to pass.</summary>
    public static ExamRules Programs() =>
        Base with
        {
            Question = (question, _, _) => question.Text,
            Delimiter = "",
            Separator = "\n[DONE]\n\n",
            Rule = AnswerRule.Code,
            Shots = 3,
            Stops = ["[DONE]"],
            AnswerTokens = 512,
            PassAt = [1],
        };

    /// <summary>Questions to long texts, whose middle is left out where they do not fit.</summary>
    public static ExamRules LongTexts() =>
        Base with
        {
            Question = (question, _, _) => question.Text,
            Delimiter = "",
            // Summaries have several paragraphs: what ends them is the end of the text.
            Separator = "",
            Rule = AnswerRule.F1,
            Averaging = Averaging.Subjects,
            Shots = 0,
            TruncatesMiddle = true,
            Metric = "score",
        };

    private static ExamRules Base { get; } =
        new()
        {
            Header = _ => "",
            Question = (question, _, _) => $"Question: {question.Text}\nAnswer:",
            Delimiter = " ",
            Separator = "\n\n",
            Scoring = Scoring.Written,
            Averaging = Averaging.Questions,
            Shots = 0,
            DropsShots = true,
        };
}
