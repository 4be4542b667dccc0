using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Uniscale.Configuration;

namespace Uniscale.Corpus;

/// <summary>The texts of JSON as people have it: a document that is none is told with the reason, and the others go on.</summary>
internal static class JsonText
{
    public const string NoText = "lines without text", NotJson = "lines that are no JSON object", NotText = "lines of unknown encoding";

    /// <summary>The text of one object.</summary>
    /// <returns>The text, or why there is none.</returns>
    public static (string? Text, string? Reason) Of(ReadOnlySpan<byte> json, string path, long number, ArrayBufferWriter<byte> buffer, ref bool isRepaired)
    {
        string? whole = RawText.Decode(json, out bool decoded);
        if (whole is null)
            return (null, NotText);
        isRepaired |= decoded;
        if (Try(decoded ? Encoding.UTF8.GetBytes(whole) : json, path, number, buffer) is { } text)
            return string.IsNullOrWhiteSpace(text) ? (null, NoText) : (text, null);
        string repaired = WithoutLoneSurrogates(whole);
        if (repaired != whole && Try(Encoding.UTF8.GetBytes(repaired), path, number, buffer) is { } second)
        {
            isRepaired = true;
            return (second, null);
        }
        return (null, IsObject(json) ? NoText : NotJson);
    }

    /// <summary>True where the beginning of a file is that of JSON lines: its first line is an object with a text, or in a .json file one of several objects.</summary>
    public static bool AreLines(ReadOnlySpan<byte> head, bool isNamedJson)
    {
        head = head.TrimStart("\uFEFF"u8).TrimStart(" \t\r\n"u8);
        if (!head.StartsWith("{"u8))
            return false;
        int end = head.IndexOf((byte)'\n');
        ReadOnlySpan<byte> line = end < 0 ? head : head[..end];
        try
        {
            bool hasText = false;
            var json = new Utf8JsonReader(line, isFinalBlock: end >= 0, default);
            while (json.Read())
                hasText |= json.TokenType == JsonTokenType.PropertyName && json.CurrentDepth == 1 && json.ValueTextEquals("text"u8);
            return hasText || (isNamedJson && end >= 0 && head[end..].TrimStart(" \t\r\n"u8).StartsWith("{"u8));
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException) // the latter for half a surrogate pair in a name
        {
            return false;
        }
    }

    /// <summary>The objects of an array of documents; null where the text is other JSON, or none.</summary>
    public static List<byte[]>? ArrayOf(byte[] utf8)
    {
        if (!utf8.AsSpan().TrimStart(" \t\r\n"u8).StartsWith("["u8))
            return null;
        try
        {
            using var document = JsonDocument.Parse(utf8);
            List<JsonElement> elements = [.. document.RootElement.EnumerateArray()];
            bool areDocuments = elements.Count > 0 && elements.All(element => element.ValueKind == JsonValueKind.Object) && elements.Any(element => element.TryGetProperty("text", out _));
            return areDocuments ? [.. elements.Select(element => Encoding.UTF8.GetBytes(element.GetRawText()))] : null;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException) // the latter for half a surrogate pair in a name
        {
            return null;
        }
    }

    private static string? Try(ReadOnlySpan<byte> json, string path, long number, ArrayBufferWriter<byte> buffer)
    {
        try
        {
            DocumentReader.ReadText(json, buffer, path, number);
            return Encoding.UTF8.GetString(buffer.WrittenSpan);
        }
        catch (UserErrorException)
        {
            return null;
        }
    }

    private static bool IsObject(ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new Utf8JsonReader(json);
            bool isObject = reader.Read() && reader.TokenType == JsonTokenType.StartObject;
            while (reader.Read())
            {
                // to the end
            }
            return isObject;
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException) // the latter for half a surrogate pair in a name
        {
            return false;
        }
    }

    /// <summary>Escapes of half a surrogate pair, which are no character, become U+FFFD.</summary>
    private static string WithoutLoneSurrogates(string json)
    {
        var text = new StringBuilder(json.Length);
        for (int i = 0; i < json.Length; i++)
        {
            text.Append(json[i]);
            if (json[i] != '\\' || i + 1 >= json.Length)
                continue;
            text.Append(json[++i]);
            if (json[i] != 'u' || Unit(json, i + 1) is not { } unit)
                continue;
            bool isPair = char.IsHighSurrogate(unit) && i + 6 < json.Length && json[i + 5] == '\\' && json[i + 6] == 'u' && Unit(json, i + 7) is { } low && char.IsLowSurrogate(low);
            int length = isPair ? 10 : 4;
            text.Append(!isPair && char.IsSurrogate(unit) ? "FFFD" : json.AsSpan(i + 1, length));
            i += length;
        }
        return text.ToString();
    }

    private static char? Unit(string json, int at) =>
        at + 4 <= json.Length && ushort.TryParse(json.AsSpan(at, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort unit) ? (char)unit : null;
}
