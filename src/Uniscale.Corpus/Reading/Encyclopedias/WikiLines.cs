using System.Text;

namespace Uniscale.Corpus.Reading.Encyclopedias;

/// <summary>The lines of a page whose inline markup is gone: headings, lists, paragraphs.</summary>
internal static class WikiLines
{
    private const int MostLevels = 6;

    /// <summary>The text; a heading without words below it goes too, as those of references and links do.</summary>
    public static string Tidy(string text)
    {
        var tidy = new StringBuilder(text.Length);
        var headings = new List<(int Level, string Words)>(); // that wait for words
        bool isApart = true;
        foreach (var range in text.AsSpan().Split('\n'))
        {
            var line = text.AsSpan(range).Trim(" \t\r");
            if (line.IsEmpty || line.IndexOfAnyExcept("-") < 0)
            {
                isApart = true;
                continue;
            }
            if (HeadingOf(line, out var words) is > 0 and var level)
            {
                headings.RemoveAll(heading => heading.Level >= level);
                headings.Add((level, words.ToString()));
                isApart = true;
                continue;
            }
            var item = line.TrimStart("*#:;").TrimStart(" \t");
            if (item.IsEmpty)
                continue;
            foreach ((_, string heading) in headings)
                Append(tidy, "", heading, isApart: true);
            isApart |= headings.Count > 0;
            headings.Clear();
            Append(tidy, line[0] is '*' or '#' ? "- " : "", item, isApart);
            isApart = false;
        }
        return tidy.ToString();
    }

    private static void Append(StringBuilder tidy, string before, ReadOnlySpan<char> line, bool isApart)
    {
        if (tidy.Length > 0)
            tidy.Append(isApart ? "\n\n" : "\n");
        tidy.Append(before).Append(line);
    }

    private static int HeadingOf(ReadOnlySpan<char> line, out ReadOnlySpan<char> words)
    {
        int before = line.Length - line.TrimStart('=').Length,
            after = line.Length - line.TrimEnd('=').Length;
        int level = Math.Min(Math.Min(before, after), MostLevels);
        words = level > 0 && line.Length > 2 * level ? line[level..^level].Trim(" \t") : [];
        return words.IsEmpty ? 0 : level;
    }
}
