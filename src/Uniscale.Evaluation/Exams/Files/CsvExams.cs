using System.Globalization;
using System.Reflection;
using CsvHelper;
using CsvHelper.Configuration;
using Uniscale.Configuration;

namespace Uniscale.Evaluation.Exams.Files;

/// <summary>
/// Exams in folders of CSV files, <c>{dev,val,test}/SUBJECT_SPLIT.csv</c>: MMLU's have no header (question, A, B, C, D, letter), C-Eval's
/// have one
/// (<c>id,question,A,B,C,D,answer,explanation</c>; no answers in its first test files).
/// </summary>
internal static class CsvExams
{
    private static readonly Lazy<Dictionary<(string Exam, string Subject), (string Group, string Title)>> Known = new(() =>
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream("subjects.tsv")!;
        using var reader = new StreamReader(stream);
        return reader
            .ReadToEnd()
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split('\t'))
            .ToDictionary(fields => (fields[0], fields[2]), fields => (fields[1], fields.Length > 3 ? fields[3] : ""));
    });

    public static Exam Mmlu(string folder, string? split) => Read("mmlu", folder, split ?? "test", header: false);

    public static Exam Ceval(string folder, string? split)
    {
        if (split is not null)
            return Read("ceval", folder, split, header: true);
        var test = Directory.Exists(Path.Combine(folder, "test")) ? Read("ceval", folder, "test", header: true) : null;
        return test?.Subjects.All(subject => subject.Questions.Count > 0) == true ? test : Read("ceval", folder, "val", header: true);
    }

    private static Exam Read(string exam, string folder, string split, bool header)
    {
        string directory = Path.Combine(folder, split),
            ending = $"_{split}.csv";
        if (!Directory.Exists(directory))
            throw new UserErrorException(
                $"{folder} has no split '{split}': {exam} lies in folders dev, val and test of files SUBJECT_SPLIT.csv."
            );
        var subjects = Directory
            .EnumerateFiles(directory, $"*{ending}")
            .Order(StringComparer.Ordinal)
            .Select(path =>
            {
                string name = Path.GetFileName(path)[..^ending.Length],
                    shots = Path.Combine(folder, "dev", $"{name}_dev.csv");
                var (group, title) = Known.Value.GetValueOrDefault((exam, name));
                return new Subject(
                    name,
                    string.IsNullOrEmpty(title) ? name.Replace('_', ' ') : title,
                    group ?? "",
                    File.Exists(shots) ? Questions(shots, name, header) : [],
                    Questions(path, name, header)
                );
            })
            .ToList();
        return subjects.Count > 0
            ? new Exam(exam, subjects)
            : throw new UserErrorException($"{directory} has no files *{ending}, which hold the questions of {exam}.");
    }

    private static List<Question> Questions(string path, string subject, bool header)
    {
        const int Options = 4;
        using var reader = new StringReader(TextFile.All(path));
        using var csv = new CsvParser(
            reader,
            new CsvConfiguration(CultureInfo.InvariantCulture) { Mode = CsvMode.RFC4180, BadDataFound = null }
        );
        var questions = new List<Question>();
        // Columns of question, options and answer.
        int first = header ? 1 : 0;
        int number = 0;
        int most = first + 2 + Options;
        while (csv.Read())
        {
            string[] row = csv.Record!;
            if (number++ == 0 && header)
            {
                // Behind the letter a C-Eval file may have an explanation.
                most = row.Length;
                continue;
            }
            // A comma too many would make another letter the right one.
            if (row.Length < first + 1 + Options || row.Length > most)
                throw new UserErrorException(
                    $"{path}, line {csv.RawRow}: there are {row.Length} fields, where a question, {Options} options and a letter are expected."
                );
            string answer = row.Length > first + 1 + Options ? row[first + 1 + Options] : "";
            // Test files whose answers are not released.
            if (header && answer.Length == 0)
                continue;
            questions.Add(
                new Question(
                    $"{subject}/{(header ? row[0] : (number - 1).ToString(CultureInfo.InvariantCulture))}",
                    row[first],
                    row[(first + 1)..(first + 1 + Options)],
                    [ExamFiles.OptionOf(answer, Options, $"{path}, line {csv.RawRow}")]
                )
            );
        }
        return questions;
    }
}
