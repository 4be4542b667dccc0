using System.Text.Json;

namespace Uniscale.Corpus;

/// <summary>A document with what is known of it; one line of a store.</summary>
/// <param name="Id">Unique in the store.</param>
/// <param name="Source">Where it came from: a path within what was imported.</param>
/// <param name="Text">Its text.</param>
/// <param name="Language">Its language, where known.</param>
public sealed record StoredDocument(string Id, string Source, string Text, string? Language = null)
{
    /// <summary>The id that it had where it came from.</summary>
    public string? SourceId { get; init; }

    /// <summary>Its address.</summary>
    public string? Url { get; init; }

    /// <summary>When it was written or fetched, as its source writes dates.</summary>
    public string? Date { get; init; }

    /// <summary>Its source's own measure of its worth.</summary>
    public double? Score { get; init; }

    /// <summary>Writes it as an object, what is not known left out.</summary>
    internal void WriteTo(Utf8JsonWriter json)
    {
        WriteFields(json);
        json.WriteString("text", Text);
        WriteEnd(json);
    }

    /// <summary>Writes it as an object with a text that is UTF-8 in place of its own.</summary>
    internal void WriteTo(Utf8JsonWriter json, ReadOnlySpan<byte> text)
    {
        WriteFields(json);
        json.WriteString("text", text);
        WriteEnd(json);
    }

    private void WriteFields(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("id", Id);
        json.WriteString("source", Source);
        if (SourceId is not null)
            json.WriteString("source_id", SourceId);
        if (Url is not null)
            json.WriteString("url", Url);
        if (Language is not null)
            json.WriteString("language", Language);
        if (Date is not null)
            json.WriteString("date", Date);
        if (Score is { } score)
            json.WriteNumber("score", score);
    }

    private static void WriteEnd(Utf8JsonWriter json)
    {
        json.WriteEndObject();
        json.Flush();
    }

    /// <summary>Takes what a property says of a document; others are passed over.</summary>
    /// <param name="json">Stands at the property's value.</param>
    /// <param name="name">The property's name.</param>
    internal StoredDocument With(string name, ref Utf8JsonReader json)
    {
        if (json.TokenType == JsonTokenType.Number)
            return name == "score" && json.TryGetDouble(out double score) ? this with { Score = score } : this;
        if (json.TokenType != JsonTokenType.String)
        {
            json.Skip();
            return this;
        }
        return name switch
        {
            "id" => this with { Id = json.GetString()! },
            "source" => this with { Source = json.GetString()! },
            "source_id" => this with { SourceId = json.GetString() },
            "url" => this with { Url = json.GetString() },
            "language" => this with { Language = json.GetString() },
            "date" => this with { Date = json.GetString() },
            "text" => this with { Text = json.GetString()! },
            _ => this,
        };
    }
}
