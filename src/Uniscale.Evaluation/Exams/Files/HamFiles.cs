using System.Text.RegularExpressions;
using Uniscale.Configuration;

namespace Uniscale.Evaluation.Exams.Files;

/// <summary>
/// The questions of Debian's package hamexam: folders T, G and E of one file a question, whose first line is <c>E0A01 (B) [rule]</c>, then
/// the question, then
/// <c>A. …</c> to <c>D. …</c>. Subjects are the sub-elements (E0, E1 …); the last five questions of each are its shots.
/// </summary>
internal static partial class HamFiles
{
    private const int Shots = 5;

    public static Exam Read(string folder)
    {
        var questions = Directory
            .EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .Select(path => (Name: Path.GetFileName(path), Question: Parse(path)))
            .Where(read => read.Question is not null)
            .ToList();
        if (questions.Count == 0)
            throw new UserErrorException($"{folder} has no questions of hamexam: files whose first line is like `E0A01 (B)`.");
        return new Exam(
            "ham",
            [
                .. questions
                    .GroupBy(read => read.Question!.Id[..2])
                    .OrderBy(group => group.Key, StringComparer.Ordinal)
                    .Select(group =>
                    {
                        var all = group.Select(read => read.Question!).ToList();
                        int shots = all.Count > Shots ? Shots : 0;
                        return new Subject(
                            group.Key,
                            $"amateur radio, element {group.Key}",
                            group.Key[..1],
                            [.. all.TakeLast(shots)],
                            [.. all.SkipLast(shots)]
                        );
                    }),
            ]
        );
    }

    private static Question? Parse(string path)
    {
        // Pictures and lists lie beside the questions.
        if (First().Match(File.ReadLines(path).FirstOrDefault() ?? "") is not { Success: true } first)
            return null;
        string[] lines = [.. TextFile.Lines(path)];
        if (lines.Length < 6)
            return null;
        var (text, options) = (new List<string>(), new List<string>());
        foreach (string line in lines.Skip(1))
        {
            if (options.Count < 4 && IsOption(line, Question.LetterOf(options.Count)))
                options.Add(line[2..].Trim());
            else if (options.Count == 0)
                text.Add(line.Trim());
            else if (line.Trim().Length > 0)
                options[^1] += " " + line.Trim();
        }
        return options.Count == 4
            ? new Question(first.Groups[1].Value, string.Join(' ', text).Trim(), options, [first.Groups[2].Value[0] - 'A'])
            : throw new UserErrorException($"{path} has {options.Count} options with letters, where A. to D. are expected.");
    }

    /// <summary>A letter and a full stop; some options lack the space behind it, and an abbreviation ("D.C.") is none.</summary>
    private static bool IsOption(string line, char letter) =>
        line.StartsWith($"{letter}.", StringComparison.Ordinal) && line.Length > 3 && (line[2] == ' ' || line[3] != '.');

    [GeneratedRegex(@"^([TGE]\d[A-Z]\d\d)\s+\(([A-D])\)")]
    private static partial Regex First();
}
