using Uniscale.Checkpoints;
using Uniscale.Checkpoints.Format;
using Uniscale.Checkpoints.HuggingFace;
using Uniscale.Checkpoints.Safetensors;
using Uniscale.Configuration;
using Uniscale.Launching.Processes;
using Uniscale.Launching.Supervision;

namespace Uniscale.Fuzz.Targets;

/// <summary>The readers of what stands around a run: its configuration, its hosts, its metrics, weights that others wrote.</summary>
internal static class RunTargets
{
    private const string Yaml =
        "name: fuzz\nmodel: { preset: gpt2, layers: 2, hidden: 64, heads: 4, context: 64, vocabulary: 8192 }\nbatch: { global: 8, micro: 2, ramp: { 0: 4, 1K: 8 } }\n"
        + "optimizer: &o { lr: \"${LR:-1e-3}\" }\ntrain:\n  steps: 20 # few\nphases:\n  - { name: one, tokens: 1M }\n";

    private const string Config =
        "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_size\":64,\"intermediate_size\":176,\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
        + "\"vocab_size\":8192,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,\"rope_theta\":10000.0,\"rope_scaling\":null,\"hidden_act\":\"silu\",\"tie_word_embeddings\":false,\"torch_dtype\":\"float32\"}";

    private const string Metrics =
        "{\"kind\":\"start\",\"time\":\"2026-01-01T00:00:00Z\",\"ranks\":2,\"layout\":\"dp2\",\"total_steps\":20,\"account\":{\"since\":\"2026-01-01T00:00:00+00:00\",\"effective\":1.5,\"waiting\":0}}\n"
        + "{\"kind\":\"step\",\"time\":\"2026-01-01T00:00:01Z\",\"step\":1,\"total_steps\":20,\"consumed_tokens\":256,\"loss\":4.9,\"tokens_per_second\":793.1,\"seconds\":0.3,\"bad_steps\":{\"nan\":1},\"skipped_count\":1,\"rollbacks\":0}\n"
        + "{\"kind\":\"note\",\"time\":\"2026-01-01T00:00:02Z\",\"note\":\"checkpoint-durable\",\"message\":\"step 1\"}\n{\"kind\":\"end\",\"time\":\"2026-01-01T00:00:03Z\",\"finished\":true}\n";

    public static IEnumerable<FuzzTarget> All { get; } =
    [
        new(
            "yaml",
            "config.yaml",
            _ => [Bytes(Yaml)],
            path => ConfigurationLoader.Load(path),
            [
                Bytes("*o"),
                Bytes("&a [*a]"),
                Bytes("<<: *o"),
                Bytes("[["),
                Bytes("{ a: "),
                Bytes("? "),
                Bytes("|+\n"),
                Bytes("\n---\n"),
                Bytes("extends: config.yaml\n"),
                Bytes("${LR}"),
                Bytes("1_0e9K"),
            ]
        ),
        new(
            "hosts",
            "hosts",
            _ => [Bytes("# nodes\nnode-1 slots=8\nnode-2:4\n\n10.0.0.1\n")],
            path => HostFile.Read(path),
            [Bytes("slots="), Bytes(":"), Bytes("slots=99999999999"), Bytes("::1"), [0]]
        ),
        new(
            "metrics",
            "metrics.jsonl",
            _ => [Bytes(Metrics)],
            path => RunStatus.Read(Path.GetDirectoryName(path)!, DateTimeOffset.UnixEpoch.AddYears(60)),
            [Bytes("\"step\":"), Bytes("1e999"), Bytes("-1"), Bytes("null"), Bytes("\"9999-99-99T\""), Bytes("{"), Bytes("\n7\n")]
        ),
        new(
            "safetensors",
            "model.safetensors",
            _ => [Safetensors()],
            ReadSafetensors,
            [
                Bytes("\"data_offsets\":[0,18446744073709551615]"),
                Bytes("\"shape\":[0]"),
                Bytes("\"dtype\":\"BF16\""),
                Bytes("__metadata__"),
                Bytes("-1"),
                new byte[8],
            ]
        ),
        new(
            "manifest",
            "manifest.json",
            _ => [.. Directory.EnumerateFiles(Golden, "manifest.json", SearchOption.AllDirectories).Order().Select(File.ReadAllBytes)],
            path => AsUserError(() => ManifestJson.Read(File.ReadAllBytes(path), path)),
            [
                Bytes("\"format_version\": 3"),
                Bytes("\"chunk_bytes\": 0"),
                Bytes("[99,0,900]"),
                Bytes("-1"),
                Bytes("9223372036854775807"),
                Bytes("null"),
            ]
        ),
        new(
            "hf_config",
            LlamaConfig.FileName,
            _ => [Bytes(Config)],
            path => AsUserError(() => LlamaConfig.Read(Path.GetDirectoryName(path)!)),
            [
                Bytes("\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":0}"),
                Bytes("\"num_attention_heads\":0"),
                Bytes("1e999"),
                Bytes("[]"),
                Bytes("{"),
                Bytes("\"model_type\":\"internlm2\""),
            ]
        ),
    ];

    /// <summary>Manifests of each format, which the tests of checkpoints keep.</summary>
    private static string Golden => Path.Combine(AppContext.BaseDirectory, "Golden");

    private static byte[] Bytes(string text) => System.Text.Encoding.UTF8.GetBytes(text);

    private static byte[] Safetensors()
    {
        byte[] header = Bytes(
            "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},\"b\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[24,32]}}"
        );
        return [.. BitConverter.GetBytes((long)header.Length), .. header, .. new byte[32]];
    }

    private static void ReadSafetensors(string path) =>
        AsUserError(() =>
        {
            using var file = SafeTensorsFile.Open(path);
            foreach (var entry in file.Header.Entries)
                file.Read(entry, 0, new byte[Math.Min(entry.SizeBytes, 1 << 20)]);
        });

    // The program tells both in the same way: one sentence, exit code 2.
    private static void AsUserError(Action read)
    {
        try
        {
            read();
        }
        catch (CheckpointException error)
        {
            throw new UserErrorException(error.Message, error);
        }
    }
}
