# A closure with one of everything that a binary cache has to carry.
{ seed, size }:
let
  build = name: script: attributes: derivation ({
    inherit name seed;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    PATH = "/usr/bin:/bin";
    args = [ "-euc" script ];
  } // attributes);
  text = builtins.toFile "text" "a text of ${seed}\n";
  fixed = build "fixed" "echo fixed $seed > $out" {
    outputHashMode = "flat";
    outputHashAlgo = "sha256";
    outputHash = builtins.hashString "sha256" "fixed ${seed}\n";
  };
  # Refers to itself.
  library = build "library" ''
    mkdir -p $out/lib
    echo $seed > $out/lib/contents
    echo $out > $out/self
  '' { };
  tool = build "tool" ''
    mkdir -p $out/bin $out/empty "$out/naïve-ünïcode-名"
    echo "#!/bin/sh" > $out/bin/tool
    echo "cat ${library}/lib/contents ${text} ${fixed}" >> $out/bin/tool
    chmod +x $out/bin/tool
    ln -s ${library}/lib $out/lib
    ln -s nowhere $out/dangling
    : > "$out/naïve-ünïcode-名/ça"
    mkdir -p $doc
    echo "manual of $out" > $doc/manual
    echo "built $seed"
  '' { outputs = [ "out" "doc" ]; };
  large = build "large" "yes \"$seed, over and over again\" | head -c $size > $out" { inherit size; };
  addressed = build "addressed" "echo contents of $seed > $out" {
    __contentAddressed = true;
    outputHashMode = "recursive";
    outputHashAlgo = "sha256";
  };
in
{ inherit tool large addressed; }
