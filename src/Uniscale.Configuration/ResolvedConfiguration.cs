using System.Security.Cryptography;
using System.Text;
using Uniscale.Configuration.Loading;

namespace Uniscale.Configuration;

/// <summary>A configuration with the place that each of its values comes from.</summary>
public sealed class ResolvedConfiguration
{
    internal ResolvedConfiguration(RunConfiguration value, IReadOnlyDictionary<string, Origin> origins)
    {
        Value = value;
        Origins = origins;
        Hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(ToYaml())));
    }

    public RunConfiguration Value { get; }

    /// <summary>Origins of the values that somebody gave, by path such as <c>model.layers</c> or <c>data.sources[0].weight</c>.</summary>
    public IReadOnlyDictionary<string, Origin> Origins { get; }

    /// <summary>SHA-256 of <see cref="ToYaml"/>, in hexadecimal: equal for equal values, wherever they come from.</summary>
    public string Hash { get; }

    /// <summary>Where the value at <paramref name="path"/> comes from; the default where nobody gave it.</summary>
    public Origin OriginOf(string path) => Origins.GetValueOrDefault(path, Origin.InDefault.Instance);

    /// <summary>Every value as YAML that loads again; <paramref name="origins"/> adds a comment with the origin of each.</summary>
    public string ToYaml(bool origins = false) => YamlWriter.Write(this, origins);

    /// <summary>Every value as JSON.</summary>
    public string ToJson() => JsonWriter.Write(Value);
}
