using System.Text.Json;
using Uniscale.Configuration;

namespace Uniscale.Alignment.Samples;

/// <summary>Files of one JSON object a line.</summary>
internal static class JsonLines
{
    /// <summary>Writes all lines, or leaves what was there.</summary>
    public static void Write<T>(string path, IEnumerable<T> lines, JsonSerializerOptions options)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        string unfinished = path + ".unfinished";
        using (var stream = new FileStream(unfinished, FileMode.Create, FileAccess.Write))
        {
            foreach (var line in lines)
            {
                JsonSerializer.Serialize(stream, line, options);
                stream.WriteByte((byte)'\n');
            }
            stream.Flush(flushToDisk: true);
        }
        File.Move(unfinished, path, overwrite: true);
    }

    /// <summary>Reads all lines; empty ones are no records.</summary>
    /// <exception cref="UserErrorException">The file is missing, or a line is no such record.</exception>
    public static IReadOnlyList<T> Read<T>(string path, JsonSerializerOptions options)
    {
        var records = new List<T>();
        int number = 0;
        try
        {
            foreach (string line in File.ReadLines(path))
            {
                number++;
                if (!string.IsNullOrWhiteSpace(line))
                    records.Add(JsonSerializer.Deserialize<T>(line, options) ?? throw new JsonException("null is no record"));
            }
        }
        catch (JsonException error)
        {
            throw new UserErrorException($"{path}, line {number}, is damaged ({error.Message.TrimEnd('.')}): correct it.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new UserErrorException($"{path} cannot be read ({error.Message.TrimEnd('.')}).", error);
        }
        return records;
    }
}
