using Uniscale.Configuration;

namespace Uniscale.Evaluation.Exams.Files;

/// <summary>Reads exams from their original files.</summary>
public static class ExamFiles
{
    private static readonly Dictionary<string, Func<string, string?, Exam>> Readers = new(StringComparer.Ordinal)
    {
        ["mmlu"] = CsvExams.Mmlu,
        ["ceval"] = CsvExams.Ceval,
        ["agieval"] = (folder, _) => AgievalFiles.Read(folder),
        ["gaokao"] = (folder, _) => GaokaoFiles.Read(folder),
        ["ham"] = (folder, _) => HamFiles.Read(folder),
        ["race"] = ReadingFiles.Race,
        ["c3"] = ReadingFiles.C3,
        ["triviaqa"] = OpenFiles.TriviaQa,
        ["nq"] = OpenFiles.NaturalQuestions,
        ["gsm8k"] = OpenFiles.Gsm8k,
        ["math"] = OpenFiles.Mathematics,
        ["humaneval"] = CodeFiles.HumanEval,
        ["mbpp"] = CodeFiles.Mbpp,
        ["longbench"] = LongBenchFiles.Read,
    };

    /// <summary>Names of the exams.</summary>
    public static IReadOnlyCollection<string> Names => Readers.Keys;

    /// <summary>Reads an exam; <paramref name="data"/> is its folder, or one that holds a folder of its name.</summary>
    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="data">The folder.</param>
    /// <param name="split">The questions to ask, e.g. <c>val</c>; null: <c>test</c>, or <c>val</c> where the test has no answers.</param>
    /// <exception cref="UserErrorException">There is no such exam, or its files are missing or damaged.</exception>
    public static Exam Read(string name, string data, string? split)
    {
        if (!Readers.TryGetValue(name, out var reader))
            throw new UserErrorException(
                $"There is no task '{name}': the tasks are {string.Join(", ", Names.Order())}, needle and perplexity."
            );
        if (!Directory.Exists(data))
            throw new UserErrorException(
                $"There is no folder {data}: name with --data (evaluation.data in a configuration) where the files of {name} lie."
            );
        string own = Path.Combine(data, name);
        return reader(Directory.Exists(own) ? own : data, split);
    }

    /// <summary>The number of a letter among the options.</summary>
    internal static int OptionOf(string letter, int options, string place)
    {
        int option = letter.Trim() is [var c] ? c - 'A' : -1;
        return (uint)option < (uint)options
            ? option
            : throw new UserErrorException($"{place}: the answer '{letter}' is none of the letters A to {Question.LetterOf(options - 1)}.");
    }
}
