using System.Text;

namespace Uniscale.Configuration;

/// <summary>
/// Text files as users give them: UTF-8, with or without a mark (a UTF-16 mark is believed). Anything else is refused by name, since a
/// reader that puts U+FFFD in its place changes questions, answers and measures in silence.
/// </summary>
public static class TextFile
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>The whole text.</summary>
    /// <exception cref="UserErrorException">The file is no UTF-8.</exception>
    public static string All(string path)
    {
        using var reader = new StreamReader(path, Strict, detectEncodingFromByteOrderMarks: true);
        return Guarded(path, "", reader.ReadToEnd);
    }

    /// <summary>Line by line, read while they are asked for.</summary>
    /// <exception cref="UserErrorException">A line is no UTF-8; it says near which.</exception>
    public static IEnumerable<string> Lines(string path)
    {
        using var file = File.OpenRead(path);
        foreach (string line in Lines(file, path))
            yield return line;
    }

    /// <summary>The lines of what a file holds, once a compression has been taken off.</summary>
    /// <param name="content">The text; not owned.</param>
    /// <param name="path">The file, for messages.</param>
    /// <exception cref="UserErrorException">A line is no UTF-8; it says near which.</exception>
    public static IEnumerable<string> Lines(Stream content, string path)
    {
        using var reader = new StreamReader(content, Strict, detectEncodingFromByteOrderMarks: true, leaveOpen: true);
        for (long number = 1; Guarded(path, $" near line {number}", reader.ReadLine) is { } line; number++)
            yield return line;
    }

    private static T Guarded<T>(string path, string place, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (DecoderFallbackException failure)
        {
            throw new UserErrorException(
                $"{path} is not UTF-8{place}: save it as UTF-8, for example with iconv -f gb18030 -t utf-8, or name a text file.",
                failure
            );
        }
    }
}
