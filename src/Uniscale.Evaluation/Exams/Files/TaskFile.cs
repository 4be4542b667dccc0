using Uniscale.Configuration;
using Uniscale.Configuration.Schema;
using Uniscale.Evaluation.Exams.Answers;

namespace Uniscale.Evaluation.Exams.Files;

/// <summary>How the questions of a task of one's own are scored.</summary>
public enum TaskScoring
{
    /// <summary>The letter with the largest log-likelihood; the prompt shows the options.</summary>
    Letter,

    /// <summary>The option whose text has the largest log-likelihood.</summary>
    Option,

    /// <summary>The whole prompt with each letter; the smallest mean loss.</summary>
    Perplexity,

    /// <summary>The letter in the text that the model writes.</summary>
    WrittenLetter,

    /// <summary>The text that the model writes equals a solution.</summary>
    ExactMatch,

    /// <summary>The overlap of words of what the model writes with a solution.</summary>
    [YamlName("f1")]
    F1,

    /// <summary>The last number that the model writes.</summary>
    Number,

    /// <summary>The last boxed formula that the model writes.</summary>
    Boxed,

    /// <summary>ROUGE-L of what the model writes with a solution.</summary>
    Rouge,

    /// <summary>The program that the model writes passes the tests, run in a sandbox.</summary>
    Code,
}

/// <summary>
/// A task of one's own: the file given to <c>uniscale evaluate --task-file</c>. Paths are relative to it; {FIELD} in a template is a field
/// of a question.
/// </summary>
public sealed record TaskFile
{
    /// <summary>Name in results.</summary>
    public string Name { get; init; } = "";

    /// <summary>The questions: CSV, or JSON lines.</summary>
    public string Data { get; init; } = "";

    /// <summary>Questions with answers to show, in the same form; the first <see cref="ShotCount"/> of them.</summary>
    public string? Shots { get; init; }

    /// <summary>Shots by default.</summary>
    [Range(0, 1000)]
    public int ShotCount { get; init; }

    /// <summary>Names of the columns of a CSV without a header; empty: its first line has them.</summary>
    public IReadOnlyList<string> Columns { get; init; } = [];

    /// <summary>Stands once before everything.</summary>
    public string Description { get; init; } = "";

    /// <summary>Template of a question, up to the place of the answer.</summary>
    public string Prompt { get; init; } = "";

    /// <summary>Templates of the options, e.g. ["{A}", "{B}"], or one field that holds a list of them, e.g. [choices].</summary>
    public IReadOnlyList<string> Options { get; init; } = [];

    /// <summary>
    /// Field of the right answer: a letter, the number of an option from 0, an option's text; or solutions, as a text or a list of texts.
    /// </summary>
    public string Target { get; init; } = "answer";

    /// <summary>Template of the code before what the model writes (scoring code).</summary>
    public string Before { get; init; } = "";

    /// <summary>Template of the code behind what the model writes: its tests (scoring code).</summary>
    public string Test { get; init; } = "";

    /// <summary>Field of the subject by which scores are told too; null: there is one subject.</summary>
    public string? Subject { get; init; }

    /// <summary>How answers are found and scored.</summary>
    public TaskScoring Scoring { get; init; } = TaskScoring.ExactMatch;

    /// <summary>Between a question and its answer.</summary>
    public string Delimiter { get; init; } = " ";

    /// <summary>Behind the answer of a shot.</summary>
    public string Separator { get; init; } = "\n\n";

    /// <summary>What the score is the mean of.</summary>
    public Averaging Averaging { get; init; } = Averaging.Questions;

    /// <summary>Texts before which what the model writes ends; empty: the separator.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Tokens that the model may write.</summary>
    [Range(1, 1 << 20)]
    public int Tokens { get; init; } = 256;

    /// <summary>Texts that the model writes for each question.</summary>
    [Range(1, 1000)]
    public int Samples { get; init; } = 1;

    /// <summary>Temperature of the texts; 0: greedy.</summary>
    [Range(0)]
    public double Temperature { get; init; }

    /// <summary>The k of pass@k: one of k texts is right.</summary>
    public IReadOnlyList<int> PassAt { get; init; } = [];

    /// <summary>Reads a task and its questions.</summary>
    /// <exception cref="UserErrorException">A key, a file or a question is wrong, with its place.</exception>
    public static (Exam Exam, ExamRules Rules) Read(string path)
    {
        var task = SectionFile.Load<TaskFile>(path);
        task.Check(path);
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var questions = new TaskQuestions(task).Read(Path.Combine(folder, task.Data));
        var shots = task.Shots is null
            ? []
            : new TaskQuestions(task).Read(Path.Combine(folder, task.Shots)).Select(read => read.Question).ToList();
        if (questions.Count == 0)
            throw new UserErrorException($"{Path.Combine(folder, task.Data)} has no questions.");
        task.CheckShots(path, shots, [.. questions.Select(read => read.Question)]);
        var subjects = questions
            .GroupBy(read => read.Subject)
            .OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => new Subject(group.Key, group.Key, "", shots, [.. group.Select(read => read.Question)]));
        return (new Exam(task.Name, [.. subjects]), task.Rules());
    }

    /// <summary>Whether options are ranked or named by letters.</summary>
    internal bool HasOptions => Scoring is TaskScoring.Letter or TaskScoring.Option or TaskScoring.Perplexity or TaskScoring.WrittenLetter;

    private ExamRules Rules() =>
        new()
        {
            Header = _ => Description,
            Question = (question, _, _) => question.Text,
            Delimiter = Delimiter,
            Separator = Separator,
            Scoring = Scoring switch
            {
                TaskScoring.Letter => Exams.Scoring.Letter,
                TaskScoring.Option => Exams.Scoring.Option,
                TaskScoring.Perplexity => Exams.Scoring.Perplexity,
                _ => Exams.Scoring.Written,
            },
            Rule = Scoring switch
            {
                TaskScoring.ExactMatch => AnswerRule.ExactMatch,
                TaskScoring.F1 => AnswerRule.F1,
                TaskScoring.Number => AnswerRule.Number,
                TaskScoring.Boxed => AnswerRule.Boxed,
                TaskScoring.Rouge => AnswerRule.Rouge,
                TaskScoring.Code => AnswerRule.Code,
                _ => AnswerRule.Letter,
            },
            Averaging = Averaging,
            Shots = ShotCount,
            DropsShots = true,
            AnyRightAnswer = true,
            Stops = Stop.Count > 0 ? Stop : [Separator],
            AnswerTokens = Tokens,
            Samples = Samples,
            Temperature = Temperature,
            PassAt = PassAt,
        };

    /// <summary>Refuses shots that are not there, and those that give away what is asked.</summary>
    private void CheckShots(string path, List<Question> shots, List<Question> asked)
    {
        if (shots.Count < ShotCount)
            throw new UserErrorException(
                $"{path}: shot_count is {ShotCount}, but {Shots} has {shots.Count} questions: set it to {shots.Count} or less."
            );
        // One text with other options is another question.
        var questions = asked.Select(Content).ToHashSet(StringComparer.Ordinal);
        if (shots.Take(ShotCount).ToList().FindIndex(shot => questions.Contains(Content(shot))) is var known and >= 0)
            throw new UserErrorException(
                $"{path}: question {known + 1} of {Shots} is asked in {Data} too, with its answer in sight: take it out of one of them."
            );
    }

    private static string Content(Question question) => string.Join('\0', [question.Text, .. question.Options]);

    private void Check(string path)
    {
        string? wrong =
            Name.Length == 0 || Name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('_' or '-'))
                ? $"name is '{Name}': give the task a name of letters, digits, _ and -"
            : Data.Length == 0 ? "data names no file of questions: set it, for example to questions.jsonl"
            : Prompt.Length == 0 ? "prompt is empty: give it a template such as \"{question}\\nAnswer:\""
            : Separator.Length == 0 ? "separator is empty, so that shots run into each other: set it, for example to \"\\n\\n\""
            : HasOptions && Options.Count == 0
                ? $"scoring is {Names.Kebab(Scoring.ToString())}, which needs options: set options, for example to [\"{{A}}\", \"{{B}}\"]"
            : ShotCount > 0 && Shots is null ? $"shot_count is {ShotCount}, but shots names no file: set shots"
            : Stop.Any(string.IsNullOrEmpty) ? "stop holds an empty text: take it out"
            : Samples > 1 && Temperature == 0
                ? $"samples is {Samples} at temperature 0, which would write the same text each time: set temperature, for example to 0.8"
            : Scoring == TaskScoring.Code && Test.Length == 0
                ? "scoring is code, but test is empty: give it a template of the tests, such as \"{test}\""
            : Scoring != TaskScoring.Code && Before.Length + Test.Length > 0
                ? $"before and test are code around what the model writes, but scoring is {Names.Kebab(Scoring.ToString())}: set scoring to code, or take them out"
            : PassAt.Count > 0 && Scoring is not (TaskScoring.Number or TaskScoring.Boxed or TaskScoring.WrittenLetter or TaskScoring.Code)
                ? "pass_at needs answers that are right or wrong: set scoring to number, boxed, written-letter or code"
            : PassAt.FirstOrDefault(k => k < 1 || k > Samples) is var odd and not 0
                ? $"pass_at holds {odd}, but there are {Samples} samples of a question: give 1 to samples"
            : null;
        if (wrong is not null)
            throw new UserErrorException($"{path}: {wrong}.");
    }
}
