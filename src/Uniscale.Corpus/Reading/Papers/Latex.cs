using System.Text;
using System.Text.RegularExpressions;

namespace Uniscale.Corpus.Reading.Papers;

/// <summary>
/// The body of a paper in LaTeX, still as LaTeX: files that it inputs are put in; comments, the preamble (but for the title) and the
/// bibliography go.
/// </summary>
internal static partial class Latex
{
    private const int MostInputs = 1000;

    /// <summary>True for a file that a paper begins with.</summary>
    public static bool IsMain(string text) => MainCommand().IsMatch(text);

    /// <summary>The paper.</summary>
    /// <param name="files">Its sources by name.</param>
    /// <returns>The text; null where no file is the main one.</returns>
    public static string? Extract(IReadOnlyDictionary<string, string> files)
    {
        var plain = files.ToDictionary(file => file.Key, file => WithoutComments(file.Value), StringComparer.Ordinal);
        string? main = plain
            .Where(file => IsMain(file.Value))
            .OrderByDescending(file => file.Value.Contains("\\begin{document}", StringComparison.Ordinal))
            .ThenByDescending(file => file.Value.Length)
            .ThenBy(file => file.Key, StringComparer.Ordinal)
            .Select(file => file.Key)
            .FirstOrDefault();
        if (main is null)
            return null;
        int inputs = 0;
        return Body(PutIn(plain[main], Path.GetDirectoryName(main) ?? "", plain, [main], ref inputs));
    }

    private static string PutIn(string text, string folder, Dictionary<string, string> files, HashSet<string> open, ref int inputs)
    {
        var whole = new StringBuilder(text.Length);
        int at = 0;
        foreach (Match match in InputCommand().Matches(text))
        {
            whole.Append(text, at, match.Index - at);
            at = match.Index + match.Length;
            string name = match.Groups[1].Value.Trim();
            string? found = Candidates(folder, name).FirstOrDefault(files.ContainsKey);
            if (found is null || ++inputs > MostInputs || !open.Add(found))
                continue; // a style, or a file that inputs itself
            whole.Append(PutIn(files[found], folder, files, open, ref inputs));
            open.Remove(found);
        }
        return whole.Append(text, at, text.Length - at).ToString();
    }

    private static IEnumerable<string> Candidates(string folder, string name)
    {
        name = name.StartsWith("./", StringComparison.Ordinal) ? name[2..] : name;
        foreach (string place in (string[])[Path.Combine(folder, name), name])
        {
            yield return place + ".tex";
            yield return place;
        }
    }

    private static string Body(string text)
    {
        int begin = text.IndexOf("\\begin{document}", StringComparison.Ordinal),
            end = text.IndexOf("\\end{document}", StringComparison.Ordinal);
        string body = begin < 0 ? text : text[(begin + "\\begin{document}".Length)..(end > begin ? end : text.Length)];
        string preamble = begin < 0 ? "" : text[..begin];
        body = Bibliography().Replace(body, "");
        if (begin < 0)
            body = MainCommand().Replace(body, "");
        if (!body.Contains("\\title", StringComparison.Ordinal) && TitleOf(preamble) is { } title)
            body = title + "\n\n" + body;
        return EmptyLines().Replace(body.Trim(), "\n\n");
    }

    /// <summary>\title{...} with the braces in it.</summary>
    private static string? TitleOf(string preamble)
    {
        var match = TitleCommand().Match(preamble);
        if (!match.Success)
            return null;
        int depth = 0;
        for (int at = match.Index + match.Length - 1; at < preamble.Length; at++)
        {
            depth +=
                preamble[at] == '{' ? 1
                : preamble[at] == '}' ? -1
                : 0;
            if (depth == 0)
                return "\\title" + preamble[(match.Index + match.Length - 1)..(at + 1)];
        }
        return null;
    }

    /// <summary>
    /// Takes comments to the ends of their lines; of lines that are comments, and of comment environments, nothing stays.
    /// </summary>
    private static string WithoutComments(string text)
    {
        var kept = new StringBuilder(text.Length);
        foreach (string line in text.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n').Split('\n'))
        {
            int percent = PercentOf(line);
            if (percent < 0)
                kept.Append(line).Append('\n');
            else if (!line.AsSpan(0, percent).IsWhiteSpace())
                kept.Append(line, 0, percent).Append('\n');
        }
        return CommentEnvironment().Replace(kept.ToString(), "");
    }

    private static int PercentOf(string line)
    {
        for (int at = line.IndexOf('%', StringComparison.Ordinal); at >= 0; at = line.IndexOf('%', at + 1))
        {
            int slashes = 0;
            while (slashes < at && line[at - slashes - 1] == '\\')
                slashes++;
            if (slashes % 2 == 0)
                return at;
        }
        return -1;
    }

    [GeneratedRegex(@"\\document(?:class|style)\s*(?:\[[^\]]*\])?\s*\{[^}]*\}(?:\[[^\]]*\])?")]
    private static partial Regex MainCommand();

    [GeneratedRegex(@"\\(?:input|include|subfile)\s*\{([^}]*)\}|\\input\s+(?<1>[\w./-]+)")]
    private static partial Regex InputCommand();

    [GeneratedRegex(@"\\title\s*(?:\[[^\]]*\])?\s*\{")]
    private static partial Regex TitleCommand();

    [GeneratedRegex(
        @"\\begin\{thebibliography\}.*?(?:\\end\{thebibliography\}|\z)|\\bibliography(?:style)?\s*\{[^}]*\}|\\printbibliography(?:\[[^\]]*\])?",
        RegexOptions.Singleline
    )]
    private static partial Regex Bibliography();

    [GeneratedRegex(@"\\begin\{comment\}.*?\\end\{comment\}\n?", RegexOptions.Singleline)]
    private static partial Regex CommentEnvironment();

    [GeneratedRegex(@"\n[ \t]*\n(?:[ \t]*\n)+")]
    private static partial Regex EmptyLines();
}
