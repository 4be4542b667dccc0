using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Uniscale.Corpus.Chat;
using Uniscale.Corpus.Reading.Texts;

namespace Uniscale.Corpus.Reading.Json;

/// <summary>The document of a JSON object as people have it: one that is none is told with the reason, and the others go on.</summary>
internal static class JsonRecord
{
    public const string NoText = "lines without text",
        NotJson = "lines that are no JSON object",
        NotText = "lines of unknown encoding";

    /// <summary>The text and the fields of one object.</summary>
    /// <param name="json">Its bytes; kept by nobody.</param>
    /// <param name="context">Where the text stands, and what is kept.</param>
    public static Extracted Of(ReadOnlyMemory<byte> json, ReadingContext context)
    {
        bool isRepaired = !Utf8.IsValid(json.Span);
        if (isRepaired)
        {
            if (RawText.Decode(json.Span, out _) is not { } decoded)
                return Extracted.Left(NotText);
            json = Encoding.UTF8.GetBytes(decoded);
        }
        if (Try(json, context, isRepaired, out var first))
            return first;
        string whole = Encoding.UTF8.GetString(json.Span),
            repaired = WithoutLoneSurrogates(whole);
        return repaired != whole && Try(Encoding.UTF8.GetBytes(repaired), context, isRepaired: true, out var second)
            ? second
            : Extracted.Left(NotJson);
    }

    private static bool Try(ReadOnlyMemory<byte> json, ReadingContext context, bool isRepaired, out Extracted extracted)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                extracted = Extracted.Left(NotJson);
            else if (TextOf(root, context) is { } text && !string.IsNullOrWhiteSpace(text))
                extracted = Extracted.Of(text, FieldsOf(root, context), isRepaired);
            else
                extracted = Extracted.Left(NoText);
            return true;
        }
        // A surrogate without its partner is an escape that JSON allows and text does not.
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            extracted = default;
            return false;
        }
    }

    private static string? TextOf(JsonElement root, ReadingContext context)
    {
        if (context.Template is { } template)
        {
            foreach (var path in context.TextPath is { } given ? [given] : FieldNames.Messages)
                if (Find(root, path) is { ValueKind: JsonValueKind.Array } list)
                    return template.Render([.. list.EnumerateArray().Select(MessageOf).OfType<ChatMessage>()]);
            return context.TextPath is null ? Plain(root, FieldNames.Texts) : null;
        }
        return Plain(root, context.TextPath is { } text ? [text] : FieldNames.Texts);
    }

    private static string? Plain(JsonElement root, IReadOnlyList<FieldPath> paths)
    {
        foreach (var path in paths)
        {
            var texts = new List<string>();
            Collect(root, path.Steps, 0, texts);
            if (texts.Count > 0)
                return string.Join("\n\n", texts);
        }
        return null;
    }

    private static void Collect(JsonElement value, IReadOnlyList<FieldPath.Step> steps, int at, List<string> texts)
    {
        if (at == steps.Count)
        {
            if (value.ValueKind == JsonValueKind.String)
                texts.Add(value.GetString()!);
            return;
        }
        if (value.ValueKind != JsonValueKind.Object || !value.TryGetProperty(steps[at].Name, out var inner))
            return;
        if (!steps[at].IsEach)
            Collect(inner, steps, at + 1, texts);
        else if (inner.ValueKind == JsonValueKind.Array)
            foreach (var item in inner.EnumerateArray())
                Collect(item, steps, at + 1, texts);
    }

    private static JsonElement? Find(JsonElement value, FieldPath path)
    {
        foreach (var step in path.Steps)
        {
            if (value.ValueKind != JsonValueKind.Object || !value.TryGetProperty(step.Name, out value))
                return null;
        }
        return value;
    }

    private static ChatMessage? MessageOf(JsonElement message)
    {
        if (message.ValueKind != JsonValueKind.Object)
            return null;
        string? role = Text(message, "role") ?? Text(message, "from"),
            content = Text(message, "content") ?? Text(message, "value");
        return role is null || content is null ? null : new ChatMessage(ChatMessage.RoleOf(role), content);
    }

    private static string? Text(JsonElement value, string name) =>
        value.TryGetProperty(name, out var inner) && inner.ValueKind == JsonValueKind.String ? inner.GetString() : null;

    private static DocumentFields FieldsOf(JsonElement root, ReadingContext context)
    {
        string? Field(string name)
        {
            if (!context.Keeps(name))
                return null;
            foreach (var path in FieldNames.PlacesOf(name))
                if (Find(root, path) is { } value && value.ValueKind is JsonValueKind.String or JsonValueKind.Number)
                    return value.ValueKind == JsonValueKind.String ? value.GetString() : value.GetRawText();
            return null;
        }
        double? score =
            double.TryParse(Field(FieldNames.Score), NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            && double.IsFinite(number)
                ? number
                : null;
        return new DocumentFields(Field(FieldNames.Id), Field(FieldNames.Url), Field(FieldNames.Language), Field(FieldNames.Date), score);
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
            bool isPair =
                char.IsHighSurrogate(unit)
                && i + 6 < json.Length
                && json[i + 5] == '\\'
                && json[i + 6] == 'u'
                && Unit(json, i + 7) is { } low
                && char.IsLowSurrogate(low);
            int length = isPair ? 10 : 4;
            text.Append(!isPair && char.IsSurrogate(unit) ? "FFFD" : json.AsSpan(i + 1, length));
            i += length;
        }
        return text.ToString();
    }

    private static char? Unit(string json, int at) =>
        at + 4 <= json.Length
        && ushort.TryParse(json.AsSpan(at, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort unit)
            ? (char)unit
            : null;
}
