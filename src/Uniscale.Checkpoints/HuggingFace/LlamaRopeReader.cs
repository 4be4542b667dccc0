using System.Globalization;
using System.Text.Json;

namespace Uniscale.Checkpoints.HuggingFace;

/// <summary>
/// Rotary positions of <c>config.json</c>: <c>rope_theta</c> alone, <c>rope_scaling</c> with <c>type</c> or <c>rope_type</c>, and
/// <c>rope_parameters</c>, which newer versions of
/// transformers write. What stands twice must be the same, and every key is taken over or refused.
/// </summary>
/// <param name="refuse">Makes the error for a key and what is wrong with it.</param>
internal sealed class LlamaRopeReader(Func<string, string, CheckpointException> refuse)
{
    // What each kind of stretching may say besides its kind, base and factor.
    private static readonly Dictionary<string, string[]> Keys = new()
    {
        ["default"] = ["original_max_position_embeddings"],
        ["linear"] = [],
        ["dynamic"] = ["original_max_position_embeddings"],
        ["yarn"] = ["original_max_position_embeddings", "beta_fast", "beta_slow", "attention_factor", "mscale", "mscale_all_dim"],
        ["llama3"] = ["original_max_position_embeddings", "low_freq_factor", "high_freq_factor"],
    };

    private readonly Dictionary<string, (string Key, JsonElement Value)> _given = [];
    private readonly List<(string Key, double Value)> _bases = [];

    /// <summary>The base where it stands alone.</summary>
    public void TakeBase(string key, double value) => _bases.Add((key, value));

    /// <summary>One of the two sections.</summary>
    public void Take(string section, JsonElement element)
    {
        foreach (var property in element.EnumerateObject())
        {
            string key = $"{section}.{property.Name}",
                name = property.Name == "type" ? "rope_type" : property.Name;
            if (property.Value.ValueKind == JsonValueKind.Null)
                continue;
            if (name == "rope_theta")
                _bases.Add((key, Number(key, property.Value)));
            else if (!_given.TryAdd(name, (key, property.Value)) && !JsonElement.DeepEquals(_given[name].Value, property.Value))
                throw refuse(key, $"is {property.Value.GetRawText()}, but {_given[name].Key} is {_given[name].Value.GetRawText()}");
        }
    }

    /// <summary>What was taken, as a whole.</summary>
    /// <param name="longest"><c>max_position_embeddings</c>, the trained context where the stretching names none.</param>
    public LlamaRope Read(int longest)
    {
        string kind = _given.Remove("rope_type", out var type)
            ? type.Value.ValueKind == JsonValueKind.String
                ? type.Value.GetString()!
                : throw refuse(type.Key, $"is {type.Value.GetRawText()}, but must be a text")
            : "default";
        if (!Keys.TryGetValue(kind, out string[]? allowed))
            throw refuse(
                "rope_parameters.rope_type",
                $"is '{kind}'; Uniscale knows {string.Join(", ", Keys.Keys.Select(name => $"'{name}'"))}"
            );
        double? factor = TakeNumber("factor");
        // Parts of a head without positions are what no model here has; harmless where it says that there are none.
        if (_given.Remove("partial_rotary_factor", out var part) && Number(part.Key, part.Value) != 1)
            throw refuse(part.Key, $"is {part.Value.GetRawText()}, which Uniscale's Llama does not have");
        if (_given.Remove("truncate", out var truncated) && (kind != "yarn" || truncated.Value.ValueKind != JsonValueKind.True))
            throw refuse(truncated.Key, $"is {truncated.Value.GetRawText()}, which Uniscale does not have with rope_type '{kind}'");
        if (_given.FirstOrDefault(pair => !allowed.Contains(pair.Key)) is { Key: not null } odd)
            throw refuse(odd.Value.Key, "is not known to Uniscale, and changes the positions");
        if (_bases.Select(one => one.Value).Distinct().Count() > 1)
            throw refuse("rope_theta", $"stands there as {string.Join(" and as ", _bases.Select(one => one.Value).Distinct())}");
        double angleBase =
            _bases.Count == 0 ? 10_000
            : _bases[0].Value > 1 ? _bases[0].Value
            : throw refuse("rope_theta", $"is {_bases[0].Value}, but must be greater than 1");
        if (kind == "default" ? factor is not (null or 1) : factor is not >= 1)
            throw refuse(
                "rope_parameters.factor",
                $"is {factor?.ToString(CultureInfo.InvariantCulture) ?? "missing"} with rope_type '{kind}'"
            );
        return kind switch
        {
            "default" => new LlamaRope(kind, angleBase),
            "yarn" => Yarn(new LlamaRope(kind, angleBase, factor) { OriginalMaxPositionEmbeddings = Original(longest) }),
            "llama3" => Llama3(new LlamaRope(kind, angleBase, factor) { OriginalMaxPositionEmbeddings = Original(longest) }),
            "dynamic" when Original(longest) is var trained && trained != longest => throw refuse(
                "rope_parameters.original_max_position_embeddings",
                $"is {trained} with rope_type 'dynamic', whose trained context is max_position_embeddings ({longest})"
            ),
            _ => new LlamaRope(kind, angleBase, factor),
        };
    }

    private LlamaRope Yarn(LlamaRope rope)
    {
        double fast = TakeNumber("beta_fast") ?? 32,
            slow = TakeNumber("beta_slow") ?? 1;
        double? attention = TakeNumber("attention_factor"),
            scale = TakeNumber("mscale"),
            all = TakeNumber("mscale_all_dim");
        if (fast <= slow)
            throw refuse("rope_parameters.beta_fast", $"is {fast.ToString(CultureInfo.InvariantCulture)}, but must be above beta_slow");
        // Two scales stand for the quotient of what they give (DeepSeek-V2); one alone has no effect in transformers.
        if (attention is null && scale is { } above && all is { } below)
            attention = Magnitude(rope.Factor!.Value, above) / Magnitude(rope.Factor.Value, below);
        return rope with { BetaFast = fast, BetaSlow = slow, AttentionFactor = attention };
    }

    private LlamaRope Llama3(LlamaRope rope)
    {
        double low = Needed("low_freq_factor"),
            high = Needed("high_freq_factor");
        return high > low
            ? rope with
            {
                LowFreqFactor = low,
                HighFreqFactor = high,
            }
            : throw refuse(
                "rope_parameters.high_freq_factor",
                $"is {high.ToString(CultureInfo.InvariantCulture)}, but must be above low_freq_factor"
            );

        double Needed(string name) => TakeNumber(name) ?? throw refuse($"rope_parameters.{name}", "is missing with rope_type 'llama3'");
    }

    private static double Magnitude(double factor, double scale) => factor <= 1 ? 1 : 0.1 * scale * Math.Log(factor) + 1;

    private int Original(int longest)
    {
        if (!_given.TryGetValue("original_max_position_embeddings", out var given))
            return longest;
        return given.Value.ValueKind == JsonValueKind.Number && given.Value.TryGetInt32(out int count) && count > 0
            ? count
            : throw refuse(given.Key, $"is {given.Value.GetRawText()}, but must be a whole number of at least 1");
    }

    private double? TakeNumber(string name) => _given.Remove(name, out var given) ? Number(given.Key, given.Value) : null;

    private double Number(string key, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && double.IsFinite(number) && number > 0
            ? number
            : throw refuse(key, $"is {value.GetRawText()}, but must be a number above 0");
}
