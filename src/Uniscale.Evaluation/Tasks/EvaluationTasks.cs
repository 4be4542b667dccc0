using Uniscale.Configuration;
using Uniscale.Evaluation.Exams;
using Uniscale.Evaluation.Exams.Files;

namespace Uniscale.Evaluation.Tasks;

/// <summary>What a model is to be asked, read from files before any model is.</summary>
public sealed record EvaluationTasks
{
    /// <summary>Name of the task that measures plain text.</summary>
    public const string PerplexityName = "perplexity";

    /// <summary>Name of the needle test.</summary>
    public const string NeedleName = "needle";

    private EvaluationTasks() { }

    /// <summary>Exams and tasks of one's own, with their rules.</summary>
    public required IReadOnlyList<(Exam Exam, ExamRules Rules)> Exams { get; init; }

    /// <summary>How exams are held.</summary>
    public required ExamOptions Options { get; init; }

    /// <summary>Documents that are predicted; null: none.</summary>
    public IReadOnlyList<string>? Documents { get; init; }

    /// <summary>Whether needles are hidden.</summary>
    public bool AsksNeedles { get; init; }

    /// <summary>Documents that needles are hidden in; null: made sentences.</summary>
    public IReadOnlyList<string>? NeedleText { get; init; }

    /// <summary>Names of all scores, as a rule may name them: exams, their groups and subjects, the needle test.</summary>
    public IReadOnlyList<string> ScoreNames =>
        [.. Exams.SelectMany(held => ScoredTask.NamesOf(held.Exam)), .. AsksNeedles ? (string[])[NeedleName] : []];

    /// <summary>Names the questions: the same on hosts that read the same files.</summary>
    public string Fingerprint =>
        ExamRunner.Digest(
            string.Join(
                '\n',
                Exams
                    .SelectMany(held => held.Exam.Subjects.SelectMany(subject => subject.Shots.Concat(subject.Questions)))
                    .Select(question =>
                        $"{question.Id}\t{question.Passage}\t{question.Text}\t{string.Join('\t', question.Options)}\t{question.Target}"
                    )
                    .Concat(Documents ?? [])
                    .Concat(NeedleText ?? [])
            )
        );

    /// <summary>Reads tasks.</summary>
    /// <param name="names">Names of exams, <c>needle</c> and <c>perplexity</c>.</param>
    /// <param name="files">Files of tasks of one's own.</param>
    /// <param name="data">Folder of the exams' files, or one with a folder for each task; null: there is none, and nothing but needles is
    /// asked.</param>
    /// <param name="split">See <see cref="ExamFiles.Read"/>.</param>
    /// <param name="options">How exams are held.</param>
    /// <exception cref="UserErrorException">There is no such task, or its files are missing or damaged.</exception>
    public static EvaluationTasks Read(
        IReadOnlyCollection<string> names,
        IReadOnlyCollection<string> files,
        string? data,
        string? split,
        ExamOptions options
    )
    {
        options.Check();
        List<(Exam Exam, ExamRules Rules)> exams =
        [
            .. names
                .Where(name => name is not (PerplexityName or NeedleName))
                .Select(name => ExamFiles.Read(name, data!, split))
                .Select(exam => (exam, ExamRules.Of(exam.Name, options.Variant))),
            .. files.Select(TaskFile.Read),
        ];
        if (exams.GroupBy(held => held.Exam.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new UserErrorException($"Two tasks are called '{twice.Key}': give each a name of its own.");
        return new EvaluationTasks
        {
            Exams = exams,
            Options = options,
            Documents = names.Contains(PerplexityName) ? Perplexity.ReadDocuments(Own(PerplexityName) ?? data!) : null,
            AsksNeedles = names.Contains(NeedleName),
            NeedleText = names.Contains(NeedleName) && Own(NeedleName) is { } place ? Perplexity.ReadDocuments(place) : null,
        };

        string? Own(string task) => data is not null && Directory.Exists(Path.Combine(data, task)) ? Path.Combine(data, task) : null;
    }
}
