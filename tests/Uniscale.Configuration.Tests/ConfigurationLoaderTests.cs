namespace Uniscale.Configuration.Tests;

public sealed class ConfigurationLoaderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("uniscale-config-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Values_are_bound_with_types_units_and_names()
    {
        var value = ConfigurationLoader
            .Parse(
                """
                name: demo
                model: { layers: 4, hidden: 128, heads: 4, norm: rms-norm, activation: gelu, rope_base: 1e6 }
                train: { tokens: 4.1M tokens, precision: bf16 }
                parallel: { schedule: interleaved-1f1b, pipeline: 2, chunks: 2 }
                schedule: { kind: wsd }
                logging: { peak_flops: 1.2T }
                data:
                  sources:
                    - { name: web, shards: [a, "b*"], weight: 0.75 }
                    - { name: code, shards: [c], weight: 0.25, virtual_tokens: 1.6T }
                phases:
                  - { name: first, tokens: 4.1M, mixture: { web: 3, code: 1 }, lr: 3e-4 }
                """
            )
            .Value;

        Assert.Equal("demo", value.Name);
        Assert.Equal(
            (4, NormKind.RmsNorm, ActivationKind.Gelu, 1e6),
            (value.Model.Layers, value.Model.Norm, value.Model.Activation, value.Model.RopeBase)
        );
        Assert.Equal((4_100_000L, PrecisionKind.Bf16), (value.Train.Tokens, value.Train.Precision));
        Assert.Equal("interleaved-1f1b", value.Parallel.Schedule);
        Assert.Equal(ScheduleKind.WarmupStableDecay, value.Schedule.Kind);
        Assert.Equal(1.2e12, value.Logging.PeakFlops);
        Assert.Equal(["a", "b*"], value.Data.Sources[0].Shards);
        Assert.Equal(1_600_000_000_000L, value.Data.Sources[1].VirtualTokens);
        Assert.Equal(3.0, value.Phases[0].Mixture["web"]);
        Assert.Equal(3e-4, value.Phases[0].Lr);
        Assert.Null(value.Phases[0].Context);
    }

    [Theory]
    [InlineData("model:\n  layres: 4", "config.yaml:2:3: model has no key 'layres'; did you mean 'layers'?")]
    [InlineData("modle: {}", "config.yaml:1:1: the configuration has no key 'modle'; did you mean 'model'?")]
    [InlineData("model:\n  layers: six", "config.yaml:2:11: model.layers expects a whole number, not 'six'.")]
    [InlineData("model:\n  layers: '6'", "config.yaml:2:11: model.layers expects a whole number, not the quoted text '6'.")]
    [InlineData("model:\n  layers: 1.5", "config.yaml:2:11: model.layers expects a whole number, not '1.5'.")]
    [InlineData("model:\n  layers: [1]", "config.yaml:2:11: model.layers expects a whole number, not a list.")]
    [InlineData("model:\n  layers:", "config.yaml:2:10: model.layers expects a whole number, not nothing.")]
    [InlineData("model:\n  layers: 0", "config.yaml:2:11: model.layers is 0, but must be between 1 and 10000.")]
    [InlineData("model:\n  layers: 3000000000", "config.yaml:2:11: model.layers is 3000000000, but must be between 1 and 10000.")]
    [InlineData("optimizer:\n  beta1: 1", "config.yaml:2:10: optimizer.beta1 is 1, but must be between 0 and 1, 1 excluded.")]
    [InlineData("optimizer: { lr: 0 }", "config.yaml:1:18: optimizer.lr is 0, but must be greater than 0.")]
    [InlineData("train: { tokens: 4Q }", "config.yaml:1:18: train.tokens expects a count such as 4M, 10B or 1.6T, not '4Q'.")]
    [InlineData("train: { device: gpu }", "config.yaml:1:18: train.device is 'gpu', but must be one of cpu, cuda.")]
    [InlineData("checkpoint: { async: yes }", "config.yaml:1:22: checkpoint.async expects true or false, not 'yes'.")]
    [InlineData(
        "model: { norm: rmsnrom }",
        "config.yaml:1:16: model.norm is 'rmsnrom', but must be one of layernorm, rmsnorm (did you mean 'rmsnorm'?)."
    )]
    [InlineData("model: { preset: lama }", "config.yaml:1:18: model.preset is 'lama', which is not known; did you mean 'llama'?")]
    [InlineData(
        "model:\n  layers: 4\n  layers: 5",
        "config.yaml:3:3: the key 'layers' is given twice (first at config.yaml:2); keep one of them."
    )]
    [InlineData("model: 3", "config.yaml:1:8: model expects a section of keys and values, not '3'.")]
    [InlineData("data: { sources: web }", "config.yaml:1:18: data.sources expects a list, for example [a, b], not 'web'.")]
    [InlineData(
        "data:\n  sources:\n    - { name: web, weigth: 1 }",
        "config.yaml:3:20: data.sources[0] has no key 'weigth'; did you mean 'weight'?"
    )]
    [InlineData("- a", "config.yaml:1:1: the file must be a map of sections such as model: and data:.")]
    [InlineData("a: 1\n---\nb: 2", "config.yaml:2:1: the file holds a second YAML document; keep one document a file.")]
    [InlineData("name: *run", "config.yaml:1:7: the alias '*run' stands for nothing; quote the text if it begins with a star.")]
    [InlineData("name: !!str 5", "config.yaml:1:7: the YAML tag 'tag:yaml.org,2002:str' is not supported; write the value without it.")]
    public void A_mistake_is_one_sentence_with_its_place(string yaml, string expected) =>
        Assert.Equal(expected, Assert.Throws<UserErrorException>(() => ConfigurationLoader.Parse(yaml)).Message);

    [Fact]
    public void Broken_YAML_names_the_place()
    {
        string message = Assert.Throws<UserErrorException>(() => ConfigurationLoader.Parse("model: {layers: 4\n")).Message;
        Assert.StartsWith("config.yaml:2:1: this is not YAML: ", message);
    }

    [Fact]
    public void Extended_files_lie_below_and_lists_replace()
    {
        Write(
            "base.yaml",
            "model: { layers: 4, hidden: 64, heads: 4 }\ndata: { sources: [{ name: a, shards: [x] }] }\ntrain: { steps: 5 }"
        );
        Directory.CreateDirectory(Path.Combine(_folder, "sub"));
        Write("sub/middle.yaml", "extends: ../base.yaml\nmodel: { hidden: 128 }");
        string top = Write("top.yaml", "extends: sub/middle.yaml\ndata: { sources: [{ name: b, shards: [y] }] }");

        var resolved = ConfigurationLoader.Load(top);

        Assert.Equal((4, 128), (resolved.Value.Model.Layers, resolved.Value.Model.Hidden));
        Assert.Equal("b", Assert.Single(resolved.Value.Data.Sources).Name);
        Assert.EndsWith("base.yaml:1", resolved.OriginOf("model.layers").ToString());
        Assert.EndsWith("middle.yaml:2", resolved.OriginOf("model.hidden").ToString());
        Assert.Equal("default", resolved.OriginOf("model.context").ToString());
    }

    [Fact]
    public void A_circle_of_extends_is_refused()
    {
        Write("a.yaml", "extends: b.yaml");
        Write("b.yaml", "extends: a.yaml");
        string message = Assert.Throws<UserErrorException>(() => ConfigurationLoader.Load(Path.Combine(_folder, "a.yaml"))).Message;
        Assert.EndsWith("the files extend each other in a circle (a.yaml -> b.yaml -> a.yaml); take one 'extends' out.", message);
    }

    [Fact]
    public void A_missing_file_is_one_sentence()
    {
        Assert.Equal(
            "There is no configuration file nowhere.yaml; check the path (configs/ holds examples).",
            Assert.Throws<UserErrorException>(() => ConfigurationLoader.Load("nowhere.yaml")).Message
        );
        string top = Write("top.yaml", "\nextends: gone.yaml");
        Assert.EndsWith(
            "top.yaml:2:10: extends names "
                + Path.Combine(_folder, "gone.yaml")
                + ", which does not exist; the path is relative to this file.",
            Assert.Throws<UserErrorException>(() => ConfigurationLoader.Load(top)).Message
        );
    }

    [Fact]
    public void A_preset_lies_below_the_file_and_says_so()
    {
        var resolved = ConfigurationLoader.Parse(
            "model: { preset: internlm2, layers: 2 }\ntrain: { steps: 1 }",
            ["model.hidden=1024", "model.heads=8"]
        );
        Assert.Equal(
            (2, 1024, 8, 8),
            (resolved.Value.Model.Layers, resolved.Value.Model.Hidden, resolved.Value.Model.Heads, resolved.Value.Model.KvHeads)
        );
        Assert.Equal("preset internlm2", resolved.OriginOf("model.kv_heads").ToString());
        Assert.Equal("config.yaml:1", resolved.OriginOf("model.layers").ToString());
        Assert.Equal("--set", resolved.OriginOf("model.hidden").ToString());
    }

    [Fact]
    public void Environment_variables_are_substituted()
    {
        Environment.SetEnvironmentVariable("UNISCALE_TEST_LAYERS", "7");
        var value = ConfigurationLoader
            .Parse(
                """
                name: run-${UNISCALE_TEST_LAYERS}-$${kept}
                model: { layers: "${UNISCALE_TEST_LAYERS}" }
                train: { steps: "${UNISCALE_TEST_UNSET:-12}" }
                """
            )
            .Value;
        Assert.Equal(("run-7-${kept}", 7, 12L), (value.Name, value.Model.Layers, value.Train.Steps));
        Assert.Equal(
            "config.yaml:1:7: the environment variable UNISCALE_TEST_UNSET is not set; set it, or give a default: ${UNISCALE_TEST_UNSET:-value}.",
            Assert.Throws<UserErrorException>(() => ConfigurationLoader.Parse("name: ${UNISCALE_TEST_UNSET}")).Message
        );
    }

    [Fact]
    public void The_resolved_YAML_loads_again_to_the_same_hash()
    {
        var resolved = ConfigurationLoader.Parse(
            """
            name: "a: b"
            run_directory: "${UNISCALE_TEST_UNSET:-/tmp/$${x}}"
            model: { preset: gpt2, layers: 2 }
            train: { tokens: 10M, seed: 9007199254740993 }
            data: { sources: [{ name: web, shards: ["x y"] }, { name: code, shards: [z], weight: 0 }] }
            phases: [{ name: only, tokens: 10M, mixture: { web: 0.9, code: 0.1 }, batch: { global: 8, ramp: { 0: 4, 1M: 8 } } }]
            """
        );
        var again = ConfigurationLoader.Parse(resolved.ToYaml(origins: true), name: "again.yaml");
        Assert.Equal(resolved.Value.RunDirectory, again.Value.RunDirectory);
        Assert.Equal(resolved.Hash, again.Hash);
        Assert.Equal(9007199254740993, again.Value.Train.Seed);
        Assert.NotEqual(resolved.Hash, ConfigurationLoader.Parse(resolved.ToYaml(), ["model.layers=3"]).Hash);
    }

    [Fact]
    public void The_resolved_YAML_shows_where_each_value_comes_from()
    {
        string[] lines = ConfigurationLoader
            .Parse("model: { preset: llama, hidden: 64, heads: 2 }\ntrain: { steps: 3 }", ["model.layers=2"])
            .ToYaml(origins: true)
            .Split('\n');
        Assert.Contains("  preset: llama                                 # config.yaml:1", lines);
        Assert.Contains("  layers: 2                                     # --set", lines);
        Assert.Contains("  vocabulary: 32000                             # preset llama", lines);
        Assert.Contains("  norm_epsilon: 1e-06                           # preset llama", lines);
        Assert.Contains("  init_std: 0.02                                # default", lines);
    }

    private string Write(string name, string text)
    {
        string path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}
