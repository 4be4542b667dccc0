using System.Text;

namespace Uniscale.Telemetry;

/// <summary>Lines of a file that somebody may be writing to, in bounded memory.</summary>
public static class BoundedLines
{
    /// <summary>
    /// Reads lines; one that is longer than <paramref name="longest"/> characters ends the file with an <see cref="InvalidDataException"/>.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="longest">Characters of a line.</param>
    public static IEnumerable<string> Read(string path, int longest)
    {
        using var reader = new StreamReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        var (line, block) = (new StringBuilder(), new char[8192]);
        for (int count; (count = reader.Read(block)) > 0;)
        {
            int start = 0;
            for (int end; (end = Array.IndexOf(block, '\n', start, count - start)) >= 0; start = end + 1)
            {
                line.Append(block, start, end - start);
                yield return Take(line, longest);
            }
            line.Append(block, start, count - start);
            if (line.Length > longest)
                throw TooLong(longest);
        }
        if (line.Length > 0)
            yield return Take(line, longest);
    }

    private static string Take(StringBuilder line, int longest)
    {
        if (line.Length > longest)
            throw TooLong(longest);
        string text = line.ToString().TrimEnd('\r');
        line.Clear();
        return text;
    }

    private static InvalidDataException TooLong(int longest) => new($"a line has more than {longest} characters");
}
