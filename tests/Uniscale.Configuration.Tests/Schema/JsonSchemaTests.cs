using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Uniscale.Configuration.Schema;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Uniscale.Configuration.Tests.Schema;

/// <summary>An editor sees raw YAML by the schema: what ships must please it, and typos must not.</summary>
public sealed partial class JsonSchemaTests
{
    private static readonly SchemaValidator Validator = new(JsonNode.Parse(JsonSchema.Write())!.AsObject());

    public static TheoryData<string> Configurations() => RepositoryFiles.Configurations();

    [Theory]
    [MemberData(nameof(Configurations))]
    public void Every_shipped_configuration_fits(string name) =>
        Assert.Empty(Errors(File.ReadAllText(RepositoryFiles.Configuration(name))));

    [Theory]
    [InlineData("model: { layres: 4 }", "$.model.layres: unknown")]
    [InlineData("model: { layers: six }", "$.model.layers: no alternative fits")]
    [InlineData("model: { layers: 0 }", "$.model.layers: no alternative fits")]
    [InlineData("train: { tokens: 4Q }", "$.train.tokens: no alternative fits")]
    [InlineData("phases: [{ mixture: { web: lots } }]", "$.phases[0].mixture.web: no alternative fits")]
    public void Mistakes_do_not(string yaml, string expected) => Assert.Equal([expected], Errors(yaml));

    [Theory]
    [InlineData("model: { layers: \"${LAYERS:-4}\", norm: rms-norm }")]
    [InlineData("train: { tokens: 4M tokens }")]
    [InlineData("run_directory: null")]
    [InlineData("extends: [a.yaml, b.yaml]")]
    [InlineData("batch: { ramp: { 0: 16, 10M: 4M } }")]
    public void What_the_loader_reads_fits(string yaml) => Assert.Empty(Errors(yaml));

    private static IEnumerable<string> Errors(string yaml)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        return Validator.Errors(Json(stream.Documents[0].RootNode));
    }

    /// <summary>YAML to JSON by the core schema, as an editor's language server does it.</summary>
    private static JsonNode? Json(YamlNode node) =>
        node switch
        {
            YamlMappingNode map => new JsonObject(
                map.Children.Select(entry => KeyValuePair.Create(entry.Key.ToString(), Json(entry.Value)))
            ),
            YamlSequenceNode list => new JsonArray([.. list.Children.Select(Json)]),
            YamlScalarNode { Style: ScalarStyle.Plain, Value: "" or "~" or "null" } => null,
            YamlScalarNode { Style: ScalarStyle.Plain, Value: "true" or "false" } truth => JsonValue.Create(truth.Value == "true"),
            YamlScalarNode { Style: ScalarStyle.Plain } plain when Number().IsMatch(plain.Value!) => JsonNode.Parse(plain.Value!),
            _ => JsonValue.Create(((YamlScalarNode)node).Value),
        };

    [GeneratedRegex(@"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$")]
    private static partial Regex Number();
}
